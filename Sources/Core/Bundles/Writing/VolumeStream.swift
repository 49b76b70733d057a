public import Base
import Sealing

/// One long stream of a payload: compressed into one zstd frame, cut into volumes, and its plain content hashed on the
/// way. Memory does not grow with its length. Not for use from two threads at once.
///
/// A stock reader needs nothing of Quell: `cat NAME.* | zstd -d`.
public final class VolumeStream {
    /// What the volumes are called, without their numbers.
    public let name: PayloadName

    private let bundle: BundleWriter
    private let volumes: CompressedVolumes
    private var hasher = Sealing.Hasher()
    private var size: UInt64 = 0
    private var isClosed = false

    init(
        _ name: PayloadName,
        of bundle: BundleWriter,
        volumeSize: Int,
        level: Int32,
        recipients: [Recipient]
    ) throws(Failure) {
        self.name = name
        self.bundle = bundle
        let cutter = VolumeCutter(base: name.text, size: volumeSize, bundle: bundle, recipients: recipients)
        volumes = try CompressedVolumes(into: cutter, level: level)
    }

    deinit {
        if !isClosed { bundle.streamWasDropped(name) }
    }

    /// Appends content. The buffer may be used anew as soon as this returns.
    ///
    /// - Throws: `refused` after ``close()``; `system` with errno when it cannot be written: the bundle can then not be
    ///   sealed.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try requireOpen()
        hasher.update(bytes)
        try volumes.append(bytes)
        size += UInt64(bytes.count)
    }

    /// Appends content.
    ///
    /// - Throws: as ``append(_:)-(UnsafeRawBufferPointer)``.
    public func append(_ bytes: [UInt8]) throws(Failure) {
        try bytes.withRawBytes { buffer throws(Failure) in try append(buffer) }
    }

    /// Ends the stream and enters its volumes in the bundle's manifest. Without it the bundle cannot be sealed. There is
    /// at least one volume, even of nothing.
    ///
    /// - Throws: `refused` the second time; `system` with errno.
    public func close() throws(Failure) -> VolumeReceipt {
        try requireOpen()
        let written = try volumes.close()
        isClosed = true
        bundle.volumesDidClose()
        return VolumeReceipt(name: name, volumes: written, size: size, digest: hasher.finish())
    }

    private func requireOpen() throws(Failure) {
        if isClosed { throw Failure(.refused, "write a payload stream", on: name.text, because: "it is closed") }
    }
}

/// What a stream in volumes came to.
public struct VolumeReceipt: Hashable, Sendable {
    /// What the volumes are called, without their numbers.
    public let name: PayloadName
    /// The volumes in the order of the stream, at least one.
    public let volumes: [PayloadRecord]
    /// Bytes of the plain content.
    public let size: UInt64
    /// SHA-256 over the plain content.
    public let digest: Digest

    /// The first volume; the name without a number when there is none, which does not happen.
    public var first: PayloadName { volumes.first?.name ?? name }
}
