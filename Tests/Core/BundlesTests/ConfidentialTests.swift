import Base
import Glibc
import Programs
import Sealing
import Testing

@testable import Bundles

@Suite("Memory and whole bundles go to their recipients alone")
struct ConfidentialTests {
    static let stream = "data/memory/7-99.core.zst"
    static let secret = "secrets/memory/7-99.core.zst"

    let bench: Workbench
    let key: SigningKey
    let policy: VerificationPolicy

    init() throws {
        bench = try Workbench()
        key = try SigningKey.generate()
        policy = VerificationPolicy(trusting: [key.verifyingKey])
    }

    private func recipient(_ name: String) throws -> (Recipient, Opener) {
        let folder = try #require(bench.path.text)
        let made = try Program(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj",
                "/CN=\(name)", "-keyout", "\(name).key", "-out", "\(name).pem",
            ],
            directory: folder
        ).run(within: .seconds(60))
        try #require(made.status == 0, "\(made.errorText)")
        let recipient = try Recipient(pem: try Disk.read(bench("\(name).pem")), called: name)
        return (recipient, try Opener(recipient, keyFile: bench("\(name).key")))
    }

    /// A bundle with the memory of one process, encrypted.
    @discardableResult
    private func write(_ name: String, for recipients: [Recipient]) throws -> VolumeReceipt {
        let bundle = try BundleWriter(creating: bench(name), volumeSize: 16 << 10, recipients: recipients)
        let stream = try bundle.volumes(try PayloadName(Self.stream))
        for _ in 0..<3 { try stream.append(Samples.noise) }
        let receipt = try stream.close()
        let index = try bundle.stream(try PayloadName("data/memory.jsonl"))
        try index.appendLine([
            "stream": .string(receipt.name.text), "size": .integer(Int64(receipt.size)),
            "sha256": .string(receipt.digest.hex),
        ])
        try index.close()
        try bundle.write(PayloadName("data/collection.jsonl"), Array(Samples.collection.utf8))
        try bundle.write(PayloadName("data/journal.jsonl"), Array(Samples.journal.utf8))
        _ = try bundle.seal(Samples.statement(), with: key)
        return receipt
    }

    private func failure(_ body: () throws -> Void) -> Failure? {
        do {
            try body()
            return nil
        } catch {
            return error as? Failure
        }
    }

    @Test(
        "what was altered between writing and reading back is found, in plain and in encrypted files, by the writer's own sums"
    )
    func readBackByItsWriter() throws {
        let (kim, _) = try recipient("kim")
        let bundle = try BundleWriter(creating: bench("w"), volumeSize: 1 << 20, recipients: [kim])
        let stream = try bundle.volumes(try PayloadName(Self.stream))
        for _ in 0..<3 { try stream.append(Samples.noise) }
        _ = try stream.close()
        try bundle.write(PayloadName("data/collection.jsonl"), Array(Samples.collection.utf8))
        try bundle.write(PayloadName("data/journal.jsonl"), Array(Samples.journal.utf8))
        let sealed = try bundle.seal(Samples.statement(), with: key)
        let sums = bundle.sums()
        let reading = try UnverifiedBundle(at: bench("w"))
        try reading.readBack(sealedAs: sealed.root, policy, comparing: sums)
        let names = bundle.written().map(\.name.text)
        let secrets = names.filter { $0.hasPrefix("secrets/") }
        #expect(names.count >= 4 && !secrets.isEmpty)
        for (place, index) in [(0, 0), (100, names.count - 1), (7, 1), (3, names.count - 2)] {
            let path = bench("w").appending(names[index])
            let content = try Disk.read(path)
            try Disk.write(content.flipped(at: place), to: path)
            let found = failure { try reading.readBack(sealedAs: sealed.root, policy, comparing: sums) }
            #expect(found?.code == .notVerified, "\(path)")
            #expect(found.map { "\($0)".contains(names[index]) } == true, "\(path)")
            try Disk.write(content, to: path)
        }
        try reading.readBack(sealedAs: sealed.root, policy, comparing: sums)
        // What another writer wrote under the same name is not what the manifest says.
        let other = try BundleWriter(creating: bench("o"))
        try other.write(PayloadName("data/collection.jsonl"), Array(Samples.journal.utf8))
        #expect(failure { try reading.readBack(sealedAs: sealed.root, policy, comparing: other.sums()) } != nil)
    }

    @Test("RT31 memory lies encrypted beside data, verifies without a key, and both its digests are under the seal")
    func memory() throws {
        let (kim, opener) = try recipient("kim")
        let receipt = try write("b", for: [kim])
        #expect(receipt.name.text == Self.secret)
        #expect(receipt.volumes.count >= 3)
        #expect(Workbench.names(in: bench("b/data")).contains(BytePath("memory")) == false)

        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        let secrets = try bundle.secrets()
        #expect(secrets.map(\.name.text) == receipt.volumes.map(\.name.text))
        #expect(secrets.allSatisfy { $0.recipients == [kim.fingerprint.hex] })
        let tags = String(decoding: try Disk.read(bench("b/tagmanifest-sha256.txt")), as: UTF8.self)
        for secret in secrets { #expect(tags.contains("\(secret.digest)  \(secret.name)\n")) }
        #expect(bundle.payload.contains { $0.name.text == "data/secrets.jsonl" })

        let plain = Samples.noise + Samples.noise + Samples.noise
        #expect(try bundle.decrypt(Self.secret, with: opener, to: bench("core")) == UInt64(plain.count))
        #expect(try Disk.read(bench("core")) == plain)
        #expect(secrets.map(\.plainSize).reduce(0, +) > 2 * 16 << 10)

        try BundlePacker.pack(bundle, to: bench("b.quell.tar"))
        let packed = try UnverifiedBundle(at: bench("b.quell.tar")).requireConsistent(policy)
        #expect(try packed.decrypt(Self.secret, with: opener, to: bench("core2")) == UInt64(plain.count))
    }

    @Test("the commands of VERIFY.txt pass where memory is encrypted")
    func verifyText() throws {
        try write("b", for: [try recipient("kim").0])
        try Disk.write(Array(key.verifyingKey.pem.utf8), to: bench("key.pem"))
        #expect(bench("work").withCString { mkdir($0, 0o700) } == 0)
        let text = String(decoding: try Disk.read(bench("b/VERIFY.txt")), as: UTF8.self)
        let commands = text.split(separator: "\n").filter { $0.hasPrefix("    ") && !$0.contains("VOLUME") }
        let script = "set -e\n" + commands.map { $0.dropFirst(4) + "\n" }.joined()
        var environment = Program.ownEnvironment()
        environment["KEY"] = bench("key.pem").text
        environment["FINGERPRINT"] = key.verifyingKey.fingerprint.hex
        environment["WORK"] = bench("work").text
        let result = try Program("/bin/sh", ["-c", script], environment: environment, directory: bench("b").text)
            .run(within: .seconds(60))
        #expect(result.status == 0, "\(result.errorText)")
        #expect(text.contains("openssl cms -decrypt -inform DER -in VOLUME"))
    }

    @Test(
        "an encrypted volume that is altered, missing, doubled or not in the index is found without a key",
        arguments: ["flipped", "missing", "extra", "index", "swapped"]
    )
    func mutations(_ change: String) throws {
        let receipt = try write("b", for: [try recipient("kim").0])
        let first = bench("b").appending(receipt.volumes[0].name.text)
        let second = bench("b").appending(receipt.volumes[1].name.text)
        var expected = VerificationFinding.Check.digest
        switch change {
        case "flipped":
            var bytes = try Disk.read(first)
            bytes[bytes.count / 2] ^= 1
            try Disk.write(bytes, to: first)
        case "missing":
            _ = second.withCString { unlink($0) }
            expected = .bag
        case "extra":
            try Disk.write([1], to: bench("b").appending(Self.secret + ".009.cms"))
            expected = .bag
        case "index":
            let path = bench("b/data/secrets.jsonl")
            try Disk.write(Array(try Disk.read(path).dropLast(10)), to: path)
            expected = .bag
        default:
            let (one, two) = (try Disk.read(first), try Disk.read(second))
            try Disk.write(two, to: first)
            try Disk.write(one, to: second)
        }
        let finding = try #require(try UnverifiedBundle(at: bench("b")).finding(policy))
        #expect(finding.check == expected || change == "index", "\(finding)")
    }

    @Test("another recipient opens nothing, a volume that changed since opens nothing, and no file is left")
    func nothingLeft() throws {
        let (kim, opener) = try recipient("kim")
        let receipt = try write("b", for: [kim])
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        let (_, other) = try recipient("lee")
        let notMine = failure { _ = try bundle.decrypt(Self.secret, with: other, to: bench("core")) }
        #expect(notMine?.code == .notVerified)
        #expect(notMine?.reason.contains("not for the recipient") == true)
        let last = try #require(receipt.volumes.last)
        var bytes = try Disk.read(bench("b").appending(last.name.text))
        bytes[bytes.count / 2] ^= 1
        try Disk.write(bytes, to: bench("b").appending(last.name.text))
        let altered = failure { _ = try bundle.decrypt(Self.secret, with: opener, to: bench("core")) }
        #expect(altered?.code == .notVerified)
        #expect(access(try #require(bench("core").text), F_OK) != 0)
        #expect(failure { _ = try bundle.decrypt("secrets/x", with: opener, to: bench("core")) }?.code == .notFound)
    }

    /// Turns one character of a file after `word` into another digit; its size stays.
    private func turnDigit(after word: String, in path: BytePath) throws {
        var bytes = try Disk.read(path)
        let needle = Array(word.utf8)
        let start = try #require(bytes.indices.first { bytes[$0...].starts(with: needle) }) + needle.count
        bytes[start] = bytes[start] == UInt8(ascii: "1") ? UInt8(ascii: "2") : UInt8(ascii: "1")
        try Disk.write(bytes, to: path)
    }

    @Test("an index that changed since it was hashed is not used, whoever reads it")
    func changedIndexes() throws {
        let (kim, opener) = try recipient("kim")
        try write("b", for: [kim])
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        try turnDigit(after: "\"plainSize\":", in: bench("b/data/secrets.jsonl"))
        #expect(failure { _ = try bundle.secrets() }?.code == .notVerified)
        #expect(failure { _ = try bundle.decrypt(Self.secret, with: opener, to: bench("core")) }?.code == .notVerified)
        let bag = try Manifest.read(try Disk.read(bench("b/tagmanifest-sha256.txt"))).get().lines
        let secrets = SecretsCheck(payload: bundle.payload, store: bundle.store)
        #expect(throws: Problem.self) { try secrets.run(tagManifest: bag) }
        try turnDigit(after: "\"sha256\":\"", in: bench("b/data/memory.jsonl"))
        #expect(throws: Problem.self) { try MemoryCheck(payload: bundle.payload, store: bundle.store).run() }
        try turnDigit(after: "\"planned\":", in: bench("b/data/collection.jsonl"))
        let collection = CollectionCheck(payload: bundle.payload, store: bundle.store)
        guard
            case .finding(let finding)? = problem({ () throws(Problem) in
                try collection.run(against: bundle.statement.counts)
            })
        else {
            throw Failure(.notVerified, "look at the collection", on: "the sample", because: "no finding")
        }
        #expect(finding.check == .digest)
    }

    private func problem(_ body: () throws(Problem) -> Void) -> Problem? {
        do throws(Problem) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test("a tag file, a seal or an mtree that changed since the verification is not packed and not walked")
    func changedOutside() throws {
        for file in ["SUMMARY.txt", "tagmanifest-sha256.txt", "seal.dsse.json"] {
            let place = bench("c-\(file.count)")
            try Samples.write(to: place, key: key)
            let bundle = try UnverifiedBundle(at: place).requireConsistent(policy)
            var bytes = try Disk.read(place.appending(file))
            bytes[10] ^= 1
            try Disk.write(bytes, to: place.appending(file))
            #expect(failure { try BundlePacker.pack(bundle, to: bench("x.tar")) }?.code == .notVerified, "\(file)")
            #expect(access("\(bench("x.tar"))", F_OK) != 0)
        }
        try Samples.write(to: bench("m"), key: key)
        let bundle = try UnverifiedBundle(at: bench("m")).requireConsistent(policy)
        try turnDigit(after: "./elsewhere type=file mode=0644 uid=", in: bench("m/data/files/workspace.mtree"))
        #expect(failure { try bundle.walk(root: "workspace") { _, _ in } }?.code == .notVerified)
    }

    @Test("a stream of which no index says how large it is has no bound, and is not opened", arguments: [true, false])
    func unbounded(hasIndex: Bool) throws {
        let (kim, opener) = try recipient("kim")
        let bundle = try BundleWriter(creating: bench("b"), recipients: [kim])
        let stream = try bundle.volumes(try PayloadName(Self.stream))
        try stream.append([UInt8](repeating: 0, count: 4 << 20))
        _ = try stream.close()
        if hasIndex { try bundle.write(PayloadName("data/memory.jsonl"), Array("{\"stream\":\"another\"}\n".utf8)) }
        try bundle.write(PayloadName("data/collection.jsonl"), Array(Samples.collection.utf8))
        try bundle.write(PayloadName("data/journal.jsonl"), Array(Samples.journal.utf8))
        _ = try bundle.seal(Samples.statement(), with: key)
        let sealed = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        let told = failure { _ = try sealed.decrypt(Self.secret, with: opener, to: bench("core")) }
        #expect(told?.code == .notVerified && told?.reason.contains("how large its content is") == true)
        #expect(access("\(bench("core"))", F_OK) != 0)
    }

    @Test("content that is longer than the sealed index says ends at the sealed size")
    func bomb() throws {
        let (kim, opener) = try recipient("kim")
        for (name, recipients) in [("b", [kim]), ("plain", [])] {
            let bundle = try BundleWriter(creating: bench(name), recipients: recipients)
            let stream = try bundle.volumes(try PayloadName(Self.stream))
            let zeros = [UInt8](repeating: 0, count: 4 << 20)
            for _ in 0..<16 { try stream.append(zeros) }
            let receipt = try stream.close()
            let index = try bundle.stream(try PayloadName("data/memory.jsonl"))
            try index.appendLine([
                "stream": .string(receipt.name.text), "size": 100, "sha256": .string(receipt.digest.hex),
            ])
            try index.close()
            try bundle.write(PayloadName("data/collection.jsonl"), Array(Samples.collection.utf8))
            try bundle.write(PayloadName("data/journal.jsonl"), Array(Samples.journal.utf8))
            _ = try bundle.seal(Samples.statement(), with: key)
        }
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        let told = failure { _ = try bundle.decrypt(Self.secret, with: opener, to: bench("core")) }
        #expect(told?.code == .notVerified)
        #expect(told?.reason.contains("longer than the 100 bytes") == true, "\(told?.reason ?? "nothing")")
        let plain = try #require(try UnverifiedBundle(at: bench("plain")).finding(policy))
        #expect(plain.found.contains("longer than the 100 bytes"), "\(plain)")
    }

    @Test("a volume that asks to hash its passphrase ten million times or more, or by another way, is refused at once")
    func costlyPassphrase() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        let secret = Secret(Array("word".utf8))
        try BundlePacker.encrypt(bundle, for: .passphrase(secret), volumeSize: 1 << 20, to: bench("e"))
        let honest = try Disk.read(bench("e"))
        let iterations: [UInt8] = [0x02, 0x03, 0x13, 0xD6, 0x20]
        let pbkdf2: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0C]
        let scrypt: [UInt8] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x04, 0x0B]
        for (old, new) in [(iterations, [0x02, 0x03, 0x7F, 0xFF, 0xFF]), (pbkdf2, scrypt)] {
            let place = try #require(honest.indices.first { honest[$0...].starts(with: old) })
            var forged = honest
            forged.replaceSubrange(place..<place + old.count, with: new)
            let index = try EncryptedBundle(at: bench("e")).index
            let volume = try #require(index.volumes.first)
            let start = 512
            let cipher = Array(forged[start..<start + Int(volume.size)])
            let text = Array(volume.digest.hex.utf8)
            let sum = try #require(forged.indices.last { forged[$0...].starts(with: text) })
            forged.replaceSubrange(sum..<sum + 64, with: SHA256.digest(of: cipher).hex.utf8)
            try Disk.write(forged, to: bench("f"))
            let began = ContinuousClock.now
            let told = failure {
                try EncryptedBundle(at: bench("f")).decrypt(with: Opener(passphrase: secret), to: bench("out"))
            }
            #expect(told?.code == .notVerified)
            #expect(told?.reason.contains("passphrase is hashed") == true, "\(told?.reason ?? "nothing")")
            #expect(ContinuousClock.now - began < .seconds(2))
        }
    }

    @Test("a whole bundle goes through encryption and back byte for byte, for people and with a passphrase")
    func whole() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        try BundlePacker.pack(bundle, to: bench("plain.quell.tar"))
        let (kim, opener) = try recipient("kim")
        let secret = Secret(Array("word".utf8))
        for (name, audience, opener) in [
            ("people", Audience.recipients([kim]), opener), ("word", .passphrase(secret), Opener(passphrase: secret)),
        ] {
            let size = name == "people" ? 10_000 : 1 << 20
            let written = try BundlePacker.encrypt(bundle, for: audience, volumeSize: size, to: bench(name))
            #expect(UInt64(try Disk.read(bench(name)).count) == written.bytes)
            #expect(EncryptedBundle.seems(bench(name)))
            let encrypted = try EncryptedBundle(at: bench(name))
            #expect(encrypted.volumeCount == written.volumes)
            #expect(encrypted.name == "amber-7f3a-1")
            try encrypted.decrypt(with: opener, to: bench("\(name).tar"))
            #expect(try Disk.read(bench("\(name).tar")) == Disk.read(bench("plain.quell.tar")))
        }
        #expect(!EncryptedBundle.seems(bench("plain.quell.tar")))
        #expect(!EncryptedBundle.seems(bench("b")))
        #expect(failure { try BundlePacker.encrypt(bundle, for: .recipients([]), to: bench("x")) }?.code == .refused)
        #expect(access(try #require(bench("x").text), F_OK) != 0)
    }

    @Test("every byte of an encrypted bundle that is another one is told, and nothing is left on disk")
    func altered() throws {
        try Samples.write(to: bench("b"), key: key)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        let (kim, opener) = try recipient("kim")
        try BundlePacker.encrypt(bundle, for: .recipients([kim]), volumeSize: 10_000, to: bench("e"))
        let whole = try Disk.read(bench("e"))
        for place in stride(from: 3, to: whole.count, by: 1237) {
            var bytes = whole
            bytes[place] ^= 0x10
            try Disk.write(bytes, to: bench("e2"))
            let told = failure { try EncryptedBundle(at: bench("e2")).decrypt(with: opener, to: bench("out")) }
            // OPEN.txt is for people and can be anything.
            let isInWords = told == nil
            if isInWords {
                #expect(try Disk.read(bench("out")).isEmpty == false)
                _ = bench("out").withCString { unlink($0) }
                let text = whole[..<place].lastRange(of: Array("OPEN.txt".utf8))
                #expect(text != nil, "byte \(place)")
            }
            #expect(access(try #require(bench("out").text), F_OK) != 0)
        }
        for cut in [0, 100, 512, 5000, whole.count - 1024, whole.count - 1] {
            try Disk.write(Array(whole.prefix(cut)), to: bench("e2"))
            #expect(failure { _ = try EncryptedBundle(at: bench("e2")) }?.code == .notVerified, "\(cut)")
        }
    }
}

extension ArraySlice<UInt8> {
    /// Where `needle` stands last.
    fileprivate func lastRange(of needle: [UInt8]) -> Range<Int>? {
        guard count >= needle.count else { return nil }
        for start in stride(from: endIndex - needle.count, through: startIndex, by: -1)
        where self[start..<start + needle.count].elementsEqual(needle) {
            return start..<start + needle.count
        }
        return nil
    }
}
