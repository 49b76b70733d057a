import Base
import CZstd

/// Decompresses a stream that must be exactly one zstd frame (RFC 8878) and nothing else: no skippable frame, no second
/// frame, no byte behind it (RT18). The window is at most 8 MiB, so that hostile frames cannot ask for memory, and content
/// beyond what the sealed index says ends it.
final class ZstdDecompressor {
    private let context: OpaquePointer
    private let input: PageBuffer
    private let output: PageBuffer
    private let source: (UnsafeMutableRawBufferPointer) throws(Problem) -> Int
    private let name: String
    private let most: UInt64
    private var delivered: UInt64 = 0
    private var available = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
    private var hasEnded = false
    private var hasBegun = false

    /// `source` fills the buffer and gives how many bytes it put there, 0 at the end; `name` is for findings. There are at
    /// most `most` bytes of content.
    init(
        name: String,
        most: UInt64 = .max,
        source: @escaping (UnsafeMutableRawBufferPointer) throws(Problem) -> Int
    ) throws(Problem) {
        guard let context = ZSTD_createDCtx() else {
            throw .failure(Failure(.system, "decompress", on: name, because: "no memory"))
        }
        self.context = context
        self.name = name
        self.most = most
        self.source = source
        input = PageBuffer(size: 1 << 20)
        output = PageBuffer(size: 1 << 20)
        let bound = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23)
        guard ZSTD_isError(bound) == 0 else {
            let reason = String(cString: ZSTD_getErrorName(bound))
            throw .failure(Failure(.system, "bound the memory of decompression", on: name, because: reason))
        }
    }

    deinit { ZSTD_freeDCtx(context) }

    /// The next decompressed bytes, valid until the next call; empty at the end of the one frame.
    func next() throws(Problem) -> UnsafeRawBufferPointer {
        while !hasEnded {
            if available.pos == available.size { try refill() }
            var written = ZSTD_outBuffer(dst: output.bytes.baseAddress, size: output.bytes.count, pos: 0)
            let rest = ZSTD_decompressStream(context, &written, &available)
            guard ZSTD_isError(rest) == 0 else {
                throw wrong("one zstd frame", String(cString: ZSTD_getErrorName(rest)))
            }
            if rest == 0 {
                hasEnded = true
                try requireEnd()
            }
            delivered += UInt64(written.pos)
            guard delivered <= most else {
                throw wrong("at most \(most) bytes", "content longer than the \(most) bytes")
            }
            if written.pos > 0 { return UnsafeRawBufferPointer(rebasing: output.bytes[..<written.pos]) }
        }
        return UnsafeRawBufferPointer(rebasing: output.bytes[..<0])
    }

    private func refill() throws(Problem) {
        let count = try source(input.bytes)
        guard count > 0 else { throw wrong("one whole zstd frame", "the volumes end within it") }
        available = ZSTD_inBuffer(src: input.bytes.baseAddress, size: count, pos: 0)
        if hasBegun { return }
        hasBegun = true
        let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
        guard count >= 4, input.bytes[..<4].elementsEqual(magic) else {
            throw wrong("a zstd frame", "it begins with \(Hex.encode(input.bytes[..<min(4, count)]))")
        }
    }

    private func requireEnd() throws(Problem) {
        var behind = available.size - available.pos
        if behind == 0 { behind = try source(input.bytes) }
        guard behind == 0 else { throw wrong("nothing behind the zstd frame", "more bytes") }
    }

    private func wrong(_ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.archive, in: name, expected: expected, found: found))
    }
}
