import CZstd

/// Which level of zstd a long stream gets whose time counts, such as the memory of a session that is held.
public enum CompressionLevel {
    /// Makes a quarter or less of what compresses well; 0.7 GB/s.
    static let fast: Int32 = -1
    /// For what does not: each byte that remains costs less, to hash and to write, than looking for it; 1 GB/s and more.
    static let fastest: Int32 = -50

    /// The level for content of which `sample` holds pieces: ``fast`` where that makes less than a quarter of it.
    public static func level(for sample: [UInt8]) -> Int32 {
        if sample.isEmpty { return fast }
        let room = ZSTD_compressBound(sample.count)
        let output = PageBuffer(size: room)
        let size = sample.withUnsafeBytes {
            ZSTD_compress(output.bytes.baseAddress, room, $0.baseAddress, $0.count, fast)
        }
        // An error is a number larger than any size.
        return size < sample.count / 4 ? fast : fastest
    }
}
