import Base

/// One stream on its way into volumes: compressed on one thread, cut, hashed and written on another.
final class CompressedVolumes {
    private let compressing: PipelineStage
    private let volumes: VolumeCutter

    /// - Throws: `system` when there is no memory.
    init(into volumes: VolumeCutter, level: Int32 = 1) throws(Failure) {
        let writing = PipelineStage(
            take: { bytes throws(Failure) in try volumes.append(bytes) },
            end: { () throws(Failure) in try volumes.close() }
        )
        let compressor = try ZstdCompressor(level: level) { bytes throws(Failure) in try writing.append(bytes) }
        compressing = PipelineStage(
            isLookedBackAt: true,
            take: { bytes throws(Failure) in try compressor.append(bytes) },
            end: { () throws(Failure) in
                try compressor.finish()
                try writing.finish()
            }
        )
        self.volumes = volumes
    }

    /// Appends content. The buffer may be used anew as soon as this returns.
    ///
    /// - Throws: what compressing or writing threw, with this content or earlier.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try compressing.append(bytes) }

    /// Ends the stream, and gives its volumes once they are written.
    ///
    /// - Throws: as ``append(_:)``.
    func close() throws(Failure) -> [PayloadRecord] {
        try compressing.finish()
        return volumes.closed
    }
}
