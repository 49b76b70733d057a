import Base
import Sealing

/// Cuts a stream into volumes, encrypts each, and frames them as one plain ustar: what `BundlePacker` is to plain bundles. A
/// volume is held in memory until its size is known, because a header of tar stands before its content.
final class EncryptedVolumes {
    private let name: String
    private let audience: Audience
    private let volumeSize: Int
    private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    private var volumes: [EncryptedIndex.Volume] = []
    private var open: Open?
    private var whole = Sealing.Hasher()
    private var plainSize: UInt64 = 0
    private(set) var written: UInt64 = 0

    /// The volume that grows.
    private final class Open {
        var bytes: [UInt8] = []
        var plainSize = 0
        var hasher = Sealing.Hasher()
        private(set) var encryption: Encryption?

        init(for audience: Audience, size: Int) throws(Failure) {
            bytes.reserveCapacity(size + 64 << 10)
            encryption = try Encryption(for: audience) { [unowned self] more throws(Failure) in bytes += more }
        }

        func append(_ piece: UnsafeRawBufferPointer) throws(Failure) {
            hasher.update(piece)
            plainSize += piece.count
            try encryption?.append(piece)
        }

        func finish() throws(Failure) {
            try encryption?.finish()
            encryption = nil
        }
    }

    init(
        name: String,
        for audience: Audience,
        volumeSize: Int,
        sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) {
        self.name = name
        self.audience = audience
        self.volumeSize = volumeSize
        self.sink = sink
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        whole.update(bytes)
        plainSize += UInt64(bytes.count)
        var rest = bytes
        while !rest.isEmpty {
            let volume = try openVolume()
            let count = min(rest.count, volumeSize - volume.plainSize)
            try volume.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if volume.plainSize == volumeSize { try close(volume) }
        }
    }

    private func openVolume() throws(Failure) -> Open {
        if let open { return open }
        let volume = try Open(for: audience, size: volumeSize)
        open = volume
        return volume
    }

    /// Ends the last volume and writes instructions, index and the end of the archive.
    func finish() throws(Failure) -> EncryptedIndex {
        if let open { try close(open) }
        let index = EncryptedIndex(
            name: name,
            audience: audience.words,
            volumes: volumes,
            plainSize: plainSize,
            plainDigest: whole.finish()
        )
        var isForPassphrase = false
        if case .passphrase = audience { isForPassphrase = true }
        try put(EncryptedIndex.instructions, Array(index.words(isForPassphrase: isForPassphrase).utf8))
        try put(EncryptedIndex.file, index.bytes)
        try emit([UInt8](repeating: 0, count: 2 * UstarHeader.blockSize))
        return index
    }

    private func close(_ volume: Open) throws(Failure) {
        try volume.finish()
        open = nil
        guard let suffix = VolumeName.suffix(volumes.count) else {
            throw Failure(.refused, "start a volume", on: name, because: "at most \(VolumeName.limit) volumes")
        }
        let member = "\(suffix).cms"
        try put(member, volume.bytes)
        volumes.append(
            EncryptedIndex.Volume(
                name: member,
                size: UInt64(volume.bytes.count),
                digest: SHA256.digest(of: volume.bytes),
                plainSize: UInt64(volume.plainSize),
                plainDigest: volume.hasher.finish()
            )
        )
    }

    private func put(_ member: String, _ bytes: [UInt8]) throws(Failure) {
        let size = UInt64(bytes.count)
        guard let header = UstarHeader(bundle: name, name: member, size: size) else {
            throw Failure(.refused, "write a volume", on: member, because: "8 GiB or more do not fit a member")
        }
        try emit(header.block)
        try emit(bytes)
        try emit([UInt8](repeating: 0, count: UstarHeader.padding(after: size)))
    }

    private func emit(_ bytes: [UInt8]) throws(Failure) {
        try bytes.withRawBytes { buffer throws(Failure) in try sink(buffer) }
        written += UInt64(bytes.count)
    }
}
