public import Base
import Glibc
public import Sealing

extension BundlePacker {
    /// Packs a bundle and encrypts it in volumes on the way, as the new file `destination`: a plain tar of CMS volumes, OPEN.txt
    /// and index.json. Nothing is ever on disk in plain, and an unfinished file has no name.
    ///
    /// - Parameter volumeSize: Bytes of content in a volume. Opening one takes about six times that in memory; a passphrase is
    ///   hashed anew for each, which takes half a second.
    /// - Returns: bytes written, and how many volumes they are.
    /// - Throws: as ``pack(_:to:)``; `refused` when there is no recipient.
    @discardableResult
    public static func encrypt(
        _ bundle: VerifiedBundle,
        for audience: Audience,
        volumeSize: Int = 16 << 20,
        to destination: BytePath
    ) throws(Failure) -> (bytes: UInt64, volumes: Int) {
        let file = try NascentFile(for: destination, attempt: "make the encrypted bundle")
        let volumes = EncryptedVolumes(
            name: bundle.statement.name,
            for: audience,
            volumeSize: volumeSize
        ) { bytes throws(Failure) in try file.append(bytes) }
        try pack(bundle, into: { bytes throws(Failure) in try volumes.append(bytes) })
        let index = try volumes.finish()
        try file.publish()
        return (volumes.written, index.volumes.count)
    }
}

/// An encrypted bundle: a plain tar of CMS volumes. What it says about itself is not signed; the bundle inside is.
public struct EncryptedBundle: Sendable {
    /// Where it lies.
    public let path: BytePath
    /// The name of the bundle inside, as the index says.
    public let name: String
    /// Whom it was encrypted for, as the index says: fingerprints, or `passphrase`.
    public let audience: [String]
    /// Bytes of the packed bundle inside, as the index says.
    public let plainSize: UInt64
    /// How many volumes.
    public var volumeCount: Int { index.volumes.count }

    private let file: PackedFile
    private let members: [String: Member]
    let index: EncryptedIndex

    /// Whether a file begins like an encrypted bundle: a tar whose first member is the first volume. Nothing is judged.
    public static func seems(_ path: BytePath) -> Bool {
        do throws(Failure) {
            let descriptor = try OwnedDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK, attempt: "open the bundle")
            guard try descriptor.status(of: path).st_mode & S_IFMT == S_IFREG else { return false }
            let buffer = PageBuffer(size: UstarHeader.blockSize)
            guard try descriptor.read(into: buffer.bytes, at: 0, of: path) == UstarHeader.blockSize else {
                return false
            }
            return UstarHeader(UnsafeRawBufferPointer(buffer.bytes))?.name == "000.cms"
        } catch {
            return false
        }
    }

    /// Opens a file and reads its index; a volume that is missing or not of its size is told here.
    ///
    /// - Throws: `notFound` or `system` with errno; `notVerified` with what is wrong.
    public init(at path: BytePath) throws(Failure) {
        self.path = path
        let descriptor = try OwnedDescriptor.open(
            path,
            flags: O_RDONLY | O_NONBLOCK,
            attempt: "open the encrypted bundle"
        )
        let status = try descriptor.status(of: path)
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw EncryptedBundle.wrong("\(path)", "not a regular file")
        }
        let file = PackedFile(path, descriptor)
        self.file = file
        let packing = try failing { () throws(Problem) in
            try Packing(file, size: UInt64(clamping: status.st_size))
        }
        members = Dictionary(packing.members.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        guard let member = members[EncryptedIndex.file], member.size <= EncryptedIndex.largest else {
            throw EncryptedBundle.wrong(
                "\(path)",
                "no \(EncryptedIndex.file): it was cut, or it is no encrypted bundle"
            )
        }
        var text: [UInt8] = []
        try MemberReader(member, file: file).forEach(PageBuffer()) { text += $0 }
        index = try EncryptedIndex(parsing: text)
        name = index.name
        audience = index.audience
        plainSize = index.plainSize
        guard VolumeName.problem(of: name) == nil, packing.bundle == name else {
            throw EncryptedBundle.wrong(packing.bundle, "the index is of \(name)")
        }
        for volume in index.volumes {
            guard let found = members[volume.name] else {
                throw EncryptedBundle.wrong(volume.name, "this volume is missing")
            }
            guard found.size == volume.size, found.size <= UInt64(Decryption.largestVolume) else {
                throw EncryptedBundle.wrong(volume.name, "\(found.size) bytes, the index says \(volume.size)")
            }
        }
        let known = Set(index.volumes.map(\.name) + [EncryptedIndex.file, EncryptedIndex.instructions])
        if let more = members.keys.sorted().first(where: { !known.contains($0) }) {
            throw EncryptedBundle.wrong(more, "the index does not know this file")
        }
    }

    /// Opens every volume and writes the packed bundle as the new file `destination`, which has its name only when all of it
    /// is authentic and there. In memory is one volume at a time.
    ///
    /// - Throws: `notVerified` when a volume was altered or is not for this opener: nothing is left on disk then.
    public func decrypt(with opener: Opener, to destination: BytePath) throws(Failure) {
        let output = try NascentFile(for: destination, attempt: "make the opened bundle")
        var whole = Sealing.Hasher()
        var size: UInt64 = 0
        for volume in index.volumes {
            guard let member = members[volume.name] else { throw EncryptedBundle.wrong(volume.name, "it is missing") }
            let cipher = try VolumeBytes.read(MemberReader(member, file: file))
            guard SHA256.digest(of: cipher) == volume.digest else {
                throw EncryptedBundle.wrong(volume.name, "it was altered: its SHA-256 is not what the index says")
            }
            if let problem = PassphraseCost.problem(of: cipher) { throw EncryptedBundle.wrong(volume.name, problem) }
            try cipher.withRawBytes { bytes throws(Failure) in
                try Decryption.open(bytes, called: volume.name, with: opener) { plain throws(Failure) in
                    guard SHA256.digest(of: plain) == volume.plainDigest else {
                        throw EncryptedBundle.wrong(volume.name, "its content is not what the index says")
                    }
                    whole.update(plain)
                    size += UInt64(plain.count)
                    try output.append(plain)
                }
            }
        }
        guard size == index.plainSize, whole.finish() == index.plainDigest else {
            throw EncryptedBundle.wrong("\(path)", "what is inside is not what the index says")
        }
        try output.publish()
    }

    private static func wrong(_ subject: String, _ reason: String) -> Failure {
        Failure(.notVerified, "open the encrypted bundle", on: subject, because: reason)
    }
}

/// Reads one volume into memory.
enum VolumeBytes {
    static func read(_ reader: MemberReader) throws(Failure) -> [UInt8] {
        guard reader.member.size <= UInt64(Decryption.largestVolume) else {
            throw Failure(.refused, "read the volume", on: reader.member.name, because: "longer than 256 MiB")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(reader.member.size))
        try reader.forEach(PageBuffer()) { bytes += $0 }
        return bytes
    }
}
