import Base
import CZstd

/// Compresses one stream into one zstd frame (RFC 8878) with a checksum, at level 1 unless told, on the calling thread.
///
/// Content is compressed where it lies, without a copy of zstd's own: what it finds again, it finds in the bytes of the
/// call before. Those must therefore stay as they are until the next call has returned; ``window`` bytes of them are
/// enough. Source: zstd.h 1.5.4, "Buffer-less streaming compression".
final class ZstdCompressor {
    /// How far back the frame refers at most, in bytes, whatever the level: 1 MiB.
    static let window = 1 << 20
    /// The most that one call of zstd gets: its result fits into the output whatever it is.
    private static let step = 1 << 20

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
        // What waits, less than a step, and the result of the next step.
        output = PageBuffer(size: Self.step + ZSTD_compressBound(Self.step))
        var parameters = ZSTD_getParams(level, 0, 0)
        parameters.cParams.windowLog = min(parameters.cParams.windowLog, UInt32(Self.window.trailingZeroBitCount))
        parameters.fParams = ZSTD_frameParameters(contentSizeFlag: 0, checksumFlag: 1, noDictIDFlag: 0)
        try check(ZSTD_compressBegin_advanced(context, nil, 0, parameters, .max))
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Takes more content, which has to stay as it is until the next call has returned.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.step))
            try take { ZSTD_compressContinue(context, $0, $1, part.baseAddress, part.count) }
            rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
        }
    }

    /// Ends the frame.
    func finish() throws(Failure) {
        try take { ZSTD_compressEnd(context, $0, $1, nil, 0) }
        try drain()
    }

    private func take(_ step: (UnsafeMutableRawPointer?, Int) -> Int) throws(Failure) {
        let room = UnsafeMutableRawBufferPointer(rebasing: output.bytes[ready...])
        let count = step(room.baseAddress, room.count)
        try check(count)
        ready += count
        if ready >= Self.step { try drain() }
    }

    private func drain() throws(Failure) {
        guard ready > 0 else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: output.bytes[..<ready])
        ready = 0
        try sink(bytes)
    }

    private func check(_ result: Int) throws(Failure) {
        guard ZSTD_isError(result) == 0 else {
            throw Failure(.system, "compress", on: "zstd", because: String(cString: ZSTD_getErrorName(result)))
        }
    }
}
