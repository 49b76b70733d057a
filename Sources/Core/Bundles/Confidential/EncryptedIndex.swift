import Base

/// index.json of an encrypted bundle: which volumes there are and what is in them. It is not signed, the bundle inside is; it
/// serves to name what is missing or damaged before anything is opened.
struct EncryptedIndex: Equatable {
    static let format = "urn:quell:encrypted-bundle:v1"
    static let file = "index.json"
    static let instructions = "OPEN.txt"
    /// What an index may have at most.
    static let largest: UInt64 = 64 << 20

    struct Volume: Equatable {
        let name: String
        let size: UInt64
        let digest: Digest
        let plainSize: UInt64
        let plainDigest: Digest
    }

    let name: String
    let audience: [String]
    let volumes: [Volume]
    let plainSize: UInt64
    let plainDigest: Digest

    var bytes: [UInt8] {
        CanonicalJSON.bytes(of: [
            "format": .string(EncryptedIndex.format), "name": .string(name),
            "audience": .array(audience.map(JSONValue.string)), "plainSize": .integer(Int64(clamping: plainSize)),
            "plainSha256": .string(plainDigest.hex),
            "volumes": .array(
                volumes.map { volume in
                    [
                        "name": .string(volume.name), "size": .integer(Int64(clamping: volume.size)),
                        "sha256": .string(volume.digest.hex), "plainSize": .integer(Int64(clamping: volume.plainSize)),
                        "plainSha256": .string(volume.plainDigest.hex),
                    ]
                }
            ),
        ])
    }

    init(name: String, audience: [String], volumes: [Volume], plainSize: UInt64, plainDigest: Digest) {
        self.name = name
        self.audience = audience
        self.volumes = volumes
        self.plainSize = plainSize
        self.plainDigest = plainDigest
    }

    /// Reads exactly what ``bytes`` writes.
    ///
    /// - Throws: `malformed`.
    init(parsing text: [UInt8]) throws(Failure) {
        let malformed = { (reason: String) -> Failure in
            Failure(.malformed, "read the index", on: EncryptedIndex.file, because: reason)
        }
        let value = try JSONReader.read(text, limits: .init(bytes: Int(EncryptedIndex.largest), depth: 8))
        guard value["format"]?.string == EncryptedIndex.format, let name = value["name"]?.string,
            let audience = value["audience"]?.array, let entries = value["volumes"]?.array,
            let plainSize = value["plainSize"]?.integer, plainSize >= 0,
            let plainDigest = value["plainSha256"]?.string.flatMap({ Digest(hex: $0) })
        else { throw malformed("not of its form") }
        var volumes: [Volume] = []
        for entry in entries {
            guard let expected = VolumeName.suffix(volumes.count), entry["name"]?.string == "\(expected).cms",
                let size = entry["size"]?.integer, let plain = entry["plainSize"]?.integer, size >= 0, plain >= 0,
                let digest = entry["sha256"]?.string.flatMap({ Digest(hex: $0) }),
                let plainDigest = entry["plainSha256"]?.string.flatMap({ Digest(hex: $0) })
            else { throw malformed("volume \(volumes.count + 1) is not of its form") }
            volumes.append(
                Volume(
                    name: "\(expected).cms",
                    size: UInt64(size),
                    digest: digest,
                    plainSize: UInt64(plain),
                    plainDigest: plainDigest
                )
            )
        }
        self.init(
            name: name,
            audience: audience.compactMap(\.string),
            volumes: volumes,
            plainSize: UInt64(plainSize),
            plainDigest: plainDigest
        )
        guard bytes == text else { throw malformed("not in canonical form") }
    }

    /// What a person without Quell does.
    func words(isForPassphrase: Bool) -> String {
        let means = isForPassphrase ? "-pwri_password \"$(cat WORDS)\"" : "-recip CERTIFICATE -inkey KEY"
        let care = """

                   WORDS is a file of yours alone that holds the passphrase, below /dev/shm. openssl takes it as an argument
                   and in no other way: whoever can list the processes of this machine can read it meanwhile. Do it where
                   nobody else is, or with /proc mounted hidepid=2. `quell bundle decrypt --passphrase-file` shows it nowhere.
            """
        let whom =
            isForPassphrase
            ? "with a passphrase (AES-256-CBC: step 3 and the verification inside tell whether it was altered)"
            : "for the certificates with these SHA-256 fingerprints:\n"
                + audience.map { "  \($0)" }.joined(separator: "\n")
        return """
            An evidence bundle, encrypted \(whom)

            How to open it without Quell (Debian: tar, openssl):

            1. There are \(volumes.count) volumes: ls *.cms | wc -l
            2. for volume in *.cms; do openssl cms -decrypt -inform DER -in "$volume" \(means) || break; done > \(name).quell.tar\(isForPassphrase ? care : "")
            3. sha256sum \(name).quell.tar
               \(plainDigest)
            4. Unpack it and follow its VERIFY.txt: nothing here is signed, the bundle inside is.

            With Quell: quell bundle decrypt FILE

            """
    }
}
