public import Base
public import Sealing

extension VerifiedBundle {
    /// The names of the encrypted streams, sorted, such as `secrets/memory/7-99.core.zst`.
    ///
    /// - Throws: as ``secrets()``.
    public func secretStreams() throws(Failure) -> [String] { Set(try secrets().map(\.stream)).sorted() }

    /// Opens an encrypted stream and writes its plain content, decompressed, as the new file `destination`. The file has its name
    /// only when every volume is authentic and the content is what the sealed indexes say.
    ///
    /// - Returns: bytes of the content.
    /// - Throws: `notFound` when there is no such stream, `notVerified` when a volume was altered or is not for this opener;
    ///   `system` with errno.
    public func decrypt(_ stream: String, with opener: Opener, to destination: BytePath) throws(Failure) -> UInt64 {
        let volumes = try secrets().filter { $0.stream == stream }.sorted { $0.name < $1.name }
        guard !volumes.isEmpty else {
            throw Failure(.notFound, "open a secret", on: stream, because: "the bundle has no such stream")
        }
        let indexed = try indexed(stream)
        let file = try NascentFile(for: destination, attempt: "make the opened file")
        let source = OpenedVolumes(volumes, in: store, with: opener)
        var hasher = Sealing.Hasher()
        var size: UInt64 = 0
        try failing { () throws(Problem) in
            let decompressor = try ZstdDecompressor(name: stream, most: indexed.size) {
                buffer throws(Problem) in
                try posing { () throws(Failure) in try source.read(into: buffer) }
            }
            while true {
                let bytes = try decompressor.next()
                if bytes.isEmpty { break }
                hasher.update(bytes)
                size += UInt64(bytes.count)
                try posing { () throws(Failure) in try file.append(bytes) }
            }
        }
        let digest = hasher.finish()
        if indexed.size != size || indexed.digest != digest.hex {
            throw Failure(
                .notVerified,
                "open a secret",
                on: stream,
                because: "its content is not what its sealed index says"
            )
        }
        try file.publish()
        return size
    }

    /// Memory has its size and digest in data/memory.jsonl, a file in data/credentials.jsonl. What no index tells of has no
    /// bound and is not opened: a few bytes of zstd can stand for any number.
    private func indexed(_ stream: String) throws(Failure) -> (size: UInt64, digest: String) {
        var found: (size: UInt64, digest: String)?
        for index in SecretVolume.indexes {
            let name = try PayloadName(index)
            guard payload.contains(where: { $0.name == name }) else { continue }
            try lines(of: name) { line throws(Failure) in
                let value = try JSONReader.read(line, limits: .init(bytes: LineReader.longestLine, depth: 16))
                guard value["stream"]?.string == stream else { return }
                guard found == nil, let size = value["size"]?.integer, size >= 0, let digest = value["sha256"]?.string
                else { throw unknownSize(of: stream, "\(index) does not say its size and SHA-256 once") }
                found = (UInt64(size), digest)
            }
        }
        guard let found else { throw unknownSize(of: stream, "no sealed index says how large its content is") }
        return found
    }

    private func unknownSize(of stream: String, _ reason: String) -> Failure {
        Failure(.notVerified, "open a secret", on: stream, because: reason)
    }
}

/// The content of encrypted volumes, one after the other; one of them is in memory at a time.
private final class OpenedVolumes {
    private let store: MemberStore
    private let opener: Opener
    private var waiting: [SecretVolume]
    private var content: [UInt8] = []
    private var position = 0

    init(_ volumes: [SecretVolume], in store: MemberStore, with opener: Opener) {
        waiting = volumes.reversed()
        self.store = store
        self.opener = opener
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        while position == content.count {
            guard let next = waiting.popLast() else { return 0 }
            try open(next)
        }
        let count = min(buffer.count, content.count - position)
        content.withUnsafeBytes { bytes in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
        }
        position += count
        return count
    }

    private func open(_ volume: SecretVolume) throws(Failure) {
        let name = volume.name.text
        let wrong = { (reason: String) -> Failure in Failure(.notVerified, "open a secret", on: name, because: reason) }
        guard let reader = try store.open(name) else { throw wrong("this volume is missing") }
        let cipher = try VolumeBytes.read(reader)
        guard SHA256.digest(of: cipher) == volume.digest else { throw wrong("it was altered since it was verified") }
        if let problem = PassphraseCost.problem(of: cipher) { throw wrong(problem) }
        content = []
        position = 0
        try cipher.withRawBytes { bytes throws(Failure) in
            try Decryption.open(bytes, called: name, with: opener) { plain throws(Failure) in
                guard SHA256.digest(of: plain) == volume.plainDigest else {
                    throw wrong("its content is not what \(SecretVolume.index) says")
                }
                content = Array(plain)
            }
        }
    }
}
