import Base
import Glibc

/// Reads the frame of a packed bundle: plain ustar, every header exactly as ``UstarHeader`` writes it, members sorted and
/// therefore unique, padding of zeros, two blocks of zeros and the end of the file.
struct Packing {
    static let mostMembers = 1_000_000

    let bundle: String
    let members: [Member]

    init(_ file: PackedFile, size: UInt64) throws(Problem) {
        let buffer = PageBuffer(size: UstarHeader.blockSize)
        var members: [Member] = []
        var bundle: String?
        var position: UInt64 = 0
        while true {
            let block = try Self.block(of: file, at: position, buffer)
            if block.allSatisfy({ $0 == 0 }) { break }
            guard let header = UstarHeader(block) else {
                throw Self.wrong(position, "a plain ustar header as Quell packs it", Self.describe(block))
            }
            if let bundle, bundle != header.bundle {
                throw Self.wrong(position, "members of \(bundle)/", "\(header.bundle)/\(header.name)")
            }
            if let last = members.last, !last.name.utf8.lexicographicallyPrecedes(header.name.utf8) {
                let found = last.name == header.name ? "\(header.name) twice" : "\(header.name) after \(last.name)"
                throw Self.wrong(position, "members sorted by name, each once", found)
            }
            bundle = header.bundle
            let start = position + UInt64(UstarHeader.blockSize)
            members.append(Member(name: header.name, size: header.size, offset: start))
            let padding = UstarHeader.padding(after: header.size)
            let end = start + header.size + UInt64(padding)
            guard end <= size, members.count <= Self.mostMembers else {
                throw Self.wrong(position, "\(header.size) bytes of \(header.name)", "the end of the file")
            }
            try Self.requireZeros(file, end - UInt64(padding), padding, buffer, "zeros behind \(header.name)")
            position = end
        }
        try Self.requireZeros(file, position, 2 * UstarHeader.blockSize, PageBuffer(size: 1024), "two blocks of zeros")
        let end = position + UInt64(2 * UstarHeader.blockSize)
        guard end == size else { throw Self.wrong(end, "the end of the file", "\(size - end) bytes more") }
        guard let bundle else { throw Self.wrong(0, "members", "none") }
        self.bundle = bundle
        self.members = members
    }

    private static func block(
        of file: PackedFile,
        at position: UInt64,
        _ buffer: PageBuffer
    ) throws(Problem) -> UnsafeRawBufferPointer {
        let count = try read(file, position, buffer.bytes)
        guard count == buffer.bytes.count else { throw wrong(position, "a header of 512 bytes", "\(count) bytes") }
        return UnsafeRawBufferPointer(buffer.bytes)
    }

    private static func requireZeros(
        _ file: PackedFile,
        _ position: UInt64,
        _ count: Int,
        _ buffer: PageBuffer,
        _ expected: String
    ) throws(Problem) {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
        let found = try read(file, position, part)
        guard found == count, part.allSatisfy({ $0 == 0 }) else {
            throw wrong(position, expected, found == count ? "other bytes" : "the end of the file")
        }
    }

    private static func read(
        _ file: PackedFile,
        _ position: UInt64,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(Problem) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try posing { () throws(Failure) in
                try file.descriptor.read(into: rest, at: position + UInt64(filled), of: file.path)
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    private static func describe(_ block: UnsafeRawBufferPointer) -> String {
        let type = String(decoding: block[156..<157], as: UTF8.self)
        let name = String(decoding: block[0..<100].prefix { $0 != 0 }, as: UTF8.self)
        return "another header (type \(type), name \(name))"
    }

    private static func wrong(_ position: UInt64, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.packing, in: "byte \(position)", expected: expected, found: found))
    }
}
