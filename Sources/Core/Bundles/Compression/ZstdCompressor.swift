import Base
import CZstd

/// Compresses one stream into one zstd frame (RFC 8878) with a checksum, at level 1 unless told, through one buffer of
/// fixed size, on the calling thread.
final class ZstdCompressor {
    private let context: OpaquePointer
    private let output: PageBuffer
    private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    /// Bytes in the output that the sink has not had yet: it gets them by the buffer, not by zstd's blocks.
    private var ready = 0

    init(
        level: Int32 = 1,
        sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        guard let context = ZSTD_createCCtx() else {
            throw Failure(.system, "compress", on: "zstd", because: "no memory")
        }
        self.context = context
        self.sink = sink
        output = PageBuffer(size: 1 << 20)
        try set(ZSTD_c_compressionLevel, level)
        try set(ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        while input.pos < input.size { try step(&input, ZSTD_e_continue) }
    }

    /// Ends the frame.
    func finish() throws(Failure) {
        var input = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
        while try step(&input, ZSTD_e_end) > 0 {}
    }

    @discardableResult
    private func step(_ input: inout ZSTD_inBuffer, _ directive: ZSTD_EndDirective) throws(Failure) -> Int {
        var written = ZSTD_outBuffer(dst: output.bytes.baseAddress, size: output.bytes.count, pos: ready)
        let rest = ZSTD_compressStream2(context, &written, &input, directive)
        guard ZSTD_isError(rest) == 0 else {
            throw Failure(.system, "compress", on: "zstd", because: String(cString: ZSTD_getErrorName(rest)))
        }
        ready = written.pos
        if ready == output.bytes.count || directive == ZSTD_e_end { try drain() }
        return rest
    }

    private func drain() throws(Failure) {
        guard ready > 0 else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: output.bytes[..<ready])
        ready = 0
        try sink(bytes)
    }

    private func set(_ parameter: ZSTD_cParameter, _ value: Int32) throws(Failure) {
        let result = ZSTD_CCtx_setParameter(context, parameter, value)
        guard ZSTD_isError(result) == 0 else {
            throw Failure(.system, "compress", on: "zstd", because: String(cString: ZSTD_getErrorName(result)))
        }
    }
}
