import Base
import CZlib

/// Expands deflate (RFC 1951), bare as in zip files or in the frame of gzip (RFC 1952), piece by piece.
final class Inflater {
    enum Coding: Int32 {
        case bare = -15
        case gzip = 31
    }

    private let stream: UnsafeMutablePointer<z_stream>

    init(_ coding: Coding) throws(ForeignProblem) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, coding.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .failure(Failure(.system, "expand", on: "zlib", because: "no memory"))
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Starts anew, for the next member of a gzip file.
    func restart() { inflateReset(stream) }

    /// Expands some of `input` into `output`. Nothing produced and nothing consumed: it needs more input.
    func step(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(ForeignProblem) -> (consumed: Int, produced: Int, isEnd: Bool) {
        let given = min(input.count, 1 << 30)
        let room = min(output.count, 1 << 30)
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.pointee.avail_in = UInt32(given)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(room)
        let status = inflate(stream, Z_NO_FLUSH)
        guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
            throw .misread("damaged deflate data: \(stream.pointee.msg.map { String(cString: $0) } ?? "\(status)")")
        }
        return (given - Int(stream.pointee.avail_in), room - Int(stream.pointee.avail_out), status == Z_STREAM_END)
    }
}

/// CRC-32 as zip files and gzip have it.
struct CheckSum: Equatable {
    private(set) var value: UInt32 = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = UInt32(
            truncatingIfNeeded: crc32_z(
                UInt(value),
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                bytes.count
            )
        )
    }
}
