import Base
import Bundles
import Glibc
import Sealing
import Testing

@testable import Response

@Suite("R9 custody is a chain of signed records")
final class CustodyTests {
    let folder: BytePath
    let key: SigningKey
    let bundle: VerifiedBundle
    let path: BytePath

    init() throws {
        var template = Array("/tmp/quell-custody-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.flatMap { mkdtemp($0) } }
        try #require(made != nil)
        folder = BytePath(template.map { UInt8(bitPattern: $0) })
        key = try SigningKey.generate()
        path = folder.appending("amber-7f3a-1")
        let writer = try BundleWriter(creating: path)
        try writer.write(PayloadName("data/session.json"), Array("{}\n".utf8))
        let statement = SealStatement(
            name: "amber-7f3a-1",
            caseID: "amber-7f3a",
            number: 1,
            purpose: .incident,
            locator: "pid:7",
            pins: [],
            freeze: nil,
            counts: .init(),
            checkpoint: nil,
            authority: nil,
            tool: .init(version: "0.1.0", digest: nil),
            responder: "kim",
            host: "build-7",
            began: Instant(seconds: 1_795_358_801),
            sealed: Instant(seconds: 1_795_358_861)
        )
        _ = try writer.seal(statement, with: key)
        let policy = VerificationPolicy(trusting: [key.verifyingKey])
        guard case .consistent(let bundle) = try UnverifiedBundle(at: path).verify(policy) else {
            throw Failure(.notVerified, "verify", on: "the sample", because: "it is wrong")
        }
        self.bundle = bundle
    }

    deinit {
        for name in ["data/session.json"] { _ = path.appending(name).withCString { unlink($0) } }
        for name in [
            "SUMMARY.txt", "VERIFY.txt", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt",
            "seal.dsse.json",
        ] { _ = path.appending(name).withCString { unlink($0) } }
        _ = path.appending("data").withCString { rmdir($0) }
        _ = path.withCString { rmdir($0) }
        _ = CustodyChain.path(beside: path).withCString { unlink($0) }
        _ = folder.withCString { rmdir($0) }
    }

    @Test("a custody that is there and cannot be read is no bundle without custody")
    func unreadable() throws {
        let place = CustodyChain.path(beside: path)
        let policy = VerificationPolicy(trusting: [key.verifyingKey])
        #expect(try !CustodyChain.isKept(beside: path))
        #expect(try CustodyChain.read(beside: path, of: bundle, policy) == nil)
        #expect(place.withCString { mkdir($0, 0o700) } == 0)
        let folder = #expect(throws: Failure.self) { try CustodyChain.read(beside: path, of: bundle, policy) }
        #expect(folder?.errno == EISDIR)
        #expect(try CustodyChain.isKept(beside: path))
        #expect(place.withCString { rmdir($0) } == 0)
        // Nobody follows a link to another file's chain.
        #expect(place.withCString { symlink("/dev/null", $0) } == 0)
        let link = #expect(throws: Failure.self) { try CustodyChain.read(beside: path, of: bundle, policy) }
        #expect(link?.errno == ELOOP)
        #expect(try CustodyChain.isKept(beside: path))
    }

    private func record(
        _ kind: CustodyRecord.Kind,
        by actor: String,
        to receiver: String? = nil,
        at seconds: Int64
    ) -> CustodyRecord {
        CustodyRecord(
            kind,
            of: bundle.statement.name,
            root: bundle.root,
            by: actor,
            role: "lead",
            to: receiver,
            reason: "ticket 7\n",
            place: "room 3",
            at: Instant(seconds: seconds)
        )
    }

    @discardableResult
    private func add(_ record: CustodyRecord, with signer: SigningKey? = nil) throws -> CustodyChain? {
        try CustodyChain.append(
            record,
            beside: path,
            of: bundle,
            VerificationPolicy(trusting: [key.verifyingKey]),
            signedBy: .key(signer ?? key)
        )
    }

    private func chain(head: Digest? = nil) throws -> CustodyChain? {
        try CustodyChain.read(beside: path, of: bundle, VerificationPolicy(trusting: [key.verifyingKey]), head: head)
    }

    private func reason(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            #expect((error as? Failure)?.code == .notVerified)
            return (error as? Failure)?.reason
        }
    }

    private func lines() throws -> [[UInt8]] {
        try CustodyFile.read(CustodyChain.path(beside: path)).split(separator: UInt8(ascii: "\n")).map(Array.init)
    }

    private func write(_ lines: [[UInt8]]) throws {
        let path = CustodyChain.path(beside: path)
        let file = path.withCString { open($0, O_WRONLY | O_TRUNC) }
        try #require(file >= 0)
        defer { close(file) }
        let bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")]
        #expect(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    private func threeRecords() throws {
        try add(record(.handover, by: "kim", to: "lee", at: 1_800_000_000))
        try add(record(.access, by: "max", at: 1_800_000_100))
        try add(record(.handover, by: "lee", to: "lab", at: 1_800_000_200))
    }

    @Test("hand-overs follow one another from the responder of the seal, reading is among them")
    func whole() throws {
        #expect(try chain() == nil)
        #expect(try add(record(.access, by: "max", at: 1)) == nil)
        try threeRecords()
        let chain = try #require(try chain())
        #expect(chain.entries.map(\.record.number) == [1, 2, 3])
        #expect(chain.holder == "lab")
        #expect(chain.head == SHA256.digest(of: try #require(try lines().last)))
        #expect(chain.entries[0].record.reason == "ticket 7\n")
        #expect(try self.chain(head: chain.head) != nil)
    }

    @Test("the chain of a packed bundle and of its directory is the same file")
    func place() {
        #expect(CustodyChain.path(beside: BytePath("/x/a-1/")) == BytePath("/x/a-1.custody.jsonl"))
        #expect(CustodyChain.path(beside: BytePath("/x/a-1.quell.tar")) == BytePath("/x/a-1.custody.jsonl"))
    }

    @Test("a record that is missing, moved, edited, cut or not of this bundle is named by its line")
    func damage() throws {
        try threeRecords()
        let good = try lines()
        let head = try #require(try chain()?.head)
        try write([good[0], good[2]])
        #expect(reason { _ = try chain() } == "it is record 3: a record is missing before it")
        try write([good[1], good[0], good[2]])
        #expect(reason { _ = try chain() }?.contains("a record is missing before it") == true)
        var edited = good
        let text = String(decoding: good[1], as: UTF8.self)
        let payload = try DSSE.Envelope(parsing: good[1]).unverifiedPayload
        let other = String(decoding: payload, as: UTF8.self).replacing("max", with: "mix")
        edited[1] = Array(text.replacing(Base64.encode(payload), with: Base64.encode(Array(other.utf8))).utf8)
        try write(edited)
        #expect(reason { _ = try chain() }?.hasPrefix("it was edited") == true)
        try write([good[0], good[1]])
        #expect(try chain()?.entries.count == 2)
        #expect(reason { _ = try chain(head: head) }?.contains("records are missing") == true)
        try write(good.dropLast() + [Array(good[2].dropLast(4))])
        #expect(reason { _ = try chain() }?.hasPrefix("not an envelope") == true)
    }

    @Test("who gives away what another holds makes a gap, and it is not recorded")
    func gap() throws {
        try threeRecords()
        let before = try lines()
        let told = reason { try add(record(.handover, by: "kim", to: "eve", at: 1_800_000_300)) }
        #expect(told == "kim gave away what lab held: a gap")
        #expect(
            reason { try add(record(.handover, by: "lab", to: "eve", at: 1_700_000_000)) }?.contains("older") == true
        )
        #expect(try lines() == before)
    }

    private func writeRaw(_ bytes: [UInt8]) throws {
        let path = CustodyChain.path(beside: path)
        let file = path.withCString { open($0, O_WRONLY | O_TRUNC) }
        try #require(file >= 0)
        defer { close(file) }
        #expect(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    @Test("a last line that a crash tore is told, kept beside the chain, and hinders nothing after it")
    func torn() throws {
        try threeRecords()
        let good = try lines()
        let newline = [UInt8(ascii: "\n")]
        let torn = Array(good[2].prefix(good[2].count / 2))
        try writeRaw(good[0] + newline + good[1] + newline + torn)
        let read = try #require(try chain())
        #expect(read.entries.count == 2)
        #expect(read.torn == torn.count)
        #expect(read.holder == "lee")
        let after = try #require(try add(record(.handover, by: "lee", to: "safe", at: 1_800_000_300)))
        #expect(after.entries.map(\.record.number) == [1, 2, 3])
        let kept = try #require(after.keptTorn)
        defer { _ = kept.withCString { unlink($0) } }
        #expect(try CustodyFile.read(kept) == torn)
        let whole = try #require(try chain())
        #expect(whole.torn == 0)
        #expect(whole.holder == "safe")
        // A record that lacks nothing but its line feed is whole.
        let lines = try lines()
        try writeRaw(Array(lines.joined(separator: newline)))
        #expect(try chain()?.entries.count == 3)
        #expect(try chain()?.torn == 0)
        try add(record(.access, by: "max", at: 1_800_000_400))
        #expect(try chain()?.entries.count == 4)
        // What has a line feed is no torn line.
        try writeRaw(good[0] + newline + torn + newline)
        #expect(reason { _ = try chain() }?.hasPrefix("not an envelope") == true)
        // A head from a ticket that stood in the torn record is missing.
        try writeRaw(good[0] + newline + torn)
        #expect(reason { _ = try chain(head: SHA256.digest(of: good[2])) }?.contains("records are missing") == true)
    }

    @Test("RT32 a name in a record is a fact only as the trust file's owner of the key in that role and time")
    func names() throws {
        func list(_ name: String, _ roles: [String], to: Instant? = nil, logins: [String] = []) -> TrustList {
            let held = TrustedPerson.Key(SSHPublicKey(key.verifyingKey), Validity(to: to))
            return TrustList([TrustedPerson(name: name, roles: roles, logins: logins, keys: [held])])
        }
        func read(_ trust: TrustList, keys: [VerifyingKey]? = nil) throws -> [CustodyChain.Entry] {
            let trusted = keys ?? [key.verifyingKey]
            let policy = VerificationPolicy(trusting: trusted, trust: trust, now: Instant(seconds: 1_800_001_000))
            return try #require(try CustodyChain.read(beside: path, of: bundle, policy)).entries
        }
        try add(record(.handover, by: "kim", to: "lee", at: 1_800_000_000))
        let nobody = try #require(try read(.empty).first)
        #expect(nobody.owner == nil)
        #expect(nobody.doubt == "the key is nobody's in the trust file: kim is claimed")
        #expect(!nobody.isContradicted)
        let kim = try #require(try read(list("kim", ["lead"])).first)
        #expect(kim.owner == "kim")
        #expect(kim.doubt == nil)
        #expect(try read(list("kim@example.org", ["lead"], logins: ["kim"])).first?.doubt == nil)
        // The key of a person of the trust file counts without being named as well.
        #expect(try read(list("kim", ["lead"]), keys: []).first?.doubt == nil)
        // A host that seals signs what people tell it: the name is a claim, and nothing speaks against it.
        let host = try #require(try read(list("build-7", ["sealer"])).first)
        #expect(host.doubt == "the key is build-7's, not kim's")
        #expect(!host.isContradicted)
        for (trust, words) in [
            (list("ada", ["lead"]), "the key is ada's, not kim's"),
            (list("kim", ["sealer"]), "kim does not have the role lead"),
            (list("kim", ["lead"], to: Instant(seconds: 1_799_999_999)), "counted until"),
            (list("kim", ["lead"], to: Instant(seconds: 1_800_000_500)), "counted until"),
        ] {
            let entry = try #require(try read(trust).first)
            #expect(entry.doubt?.contains(words) == true, "\(entry.doubt ?? "no doubt")")
            #expect(entry.isContradicted)
        }
    }

    @Test("a record that calls the bundle by another name is about another bundle")
    func otherName() throws {
        let other = CustodyRecord(
            .handover,
            of: "umber-7f3a-1",
            root: bundle.root,
            by: "kim",
            role: "lead",
            to: "lee",
            reason: "",
            place: "",
            at: Instant(seconds: 1_800_000_000)
        )
        #expect(reason { try add(other) }?.contains("about another bundle") == true)
    }

    @Test("RT32 another key, and a signature of another type, are not custody")
    func foreignKeys() throws {
        try threeRecords()
        let eve = try SigningKey.generate()
        try add(record(.handover, by: "lab", to: "eve", at: 1_800_000_300), with: eve)
        #expect(reason { _ = try chain() }?.hasPrefix("it is signed by a key that is not trusted here") == true)
        var lines = try lines()
        let payload = try DSSE.Envelope(parsing: lines[2]).unverifiedPayload
        lines[2] = try DSSE.sign(payload, as: .approval, with: key).bytes
        try write(Array(lines[..<3]))
        #expect(reason { _ = try chain() }?.contains("vnd.quell.approval") == true)
    }
}
