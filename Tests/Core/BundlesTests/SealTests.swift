import Base
import Bundles
import Sealing
import Testing

@Suite("What a seal says and who stands behind it")
struct SealTests {
    let bench: Workbench
    let key: SigningKey

    init() throws {
        bench = try Workbench()
        key = try SigningKey.generate()
    }

    @Test("a seal by a key that nobody trusts here is a state of its own, not done and not wrong")
    func unknownSigner() throws {
        try Samples.write(to: bench("b"), key: key)
        let other = try SigningKey.generate()
        for trusted in [[], [other.verifyingKey]] {
            let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(.init(trusting: trusted))
            #expect(bundle.signer == .unknown(fingerprint: key.verifyingKey.fingerprint))
            #expect(bundle.outcome == .partial)
        }
    }

    @Test("a bundle sealed without a key says so in its text and to every verifier")
    func unsigned() throws {
        let sealed = try Samples.write(to: bench("b"), key: nil)
        #expect(!sealed.isSigned)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(.init(trusting: [key.verifyingKey]))
        #expect(bundle.signer == .unsigned)
        #expect(bundle.outcome == .partial)
        let summary = String(decoding: try Disk.read(bench("b/SUMMARY.txt")), as: UTF8.self)
        #expect(summary.contains("UNSIGNED"))
        let verify = String(decoding: try Disk.read(bench("b/VERIFY.txt")), as: UTF8.self)
        #expect(verify.contains("THIS BUNDLE IS NOT SIGNED"))
    }

    @Test("RT19 with a fingerprint from outside only that key counts, trusted or not")
    func fingerprint() throws {
        try Samples.write(to: bench("b"), key: key)
        try Samples.write(to: bench("unsigned"), key: nil)
        let other = try SigningKey.generate()
        let both = [key.verifyingKey, other.verifyingKey]
        func check(_ name: String, _ policy: VerificationPolicy) throws -> VerificationFinding.Check? {
            try UnverifiedBundle(at: bench(name)).finding(policy)?.check
        }
        #expect(try check("b", .init(trusting: both, fingerprint: key.verifyingKey.fingerprint)) == nil)
        #expect(try check("b", .init(trusting: both, fingerprint: other.verifyingKey.fingerprint)) == .signature)
        #expect(try check("b", .init(trusting: [], fingerprint: key.verifyingKey.fingerprint)) == .signature)
        #expect(try check("unsigned", .init(trusting: both, fingerprint: key.verifyingKey.fingerprint)) == .signature)
    }

    @Test("RT33 each purpose has its own predicate type", arguments: SealStatement.Purpose.allCases)
    func purposes(purpose: SealStatement.Purpose) throws {
        try Samples.write(to: bench("b"), key: key, statement: Samples.statement(purpose: purpose))
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(.init(trusting: [key.verifyingKey]))
        #expect(bundle.statement.purpose == purpose)
        let envelope = try DSSE.Envelope(parsing: try Disk.read(bench("b/seal.dsse.json")))
        let statement = try JSONReader.read(try envelope.verify(as: .seal, with: key.verifyingKey))
        #expect(statement["predicateType"]?.string == "urn:quell:bundle:\(purpose.rawValue):v1")
        #expect(statement["_type"]?.string == "https://in-toto.io/Statement/v1")
        #expect(statement["subject"]?.array?.count == 1)
    }

    @Test("what is not known is absent in the statement and nothing else")
    func absences() throws {
        var statement = Samples.statement()
        statement.authority = nil
        statement.freeze = nil
        statement.checkpoint = nil
        try Samples.write(to: bench("b"), key: key, statement: statement)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(.init(trusting: [key.verifyingKey]))
        #expect(bundle.statement == statement)
        let envelope = try DSSE.Envelope(parsing: try Disk.read(bench("b/seal.dsse.json")))
        let predicate = try JSONReader.read(envelope.unverifiedPayload)["predicate"]
        #expect(predicate?["authority"]?.string == "absent")
        #expect(predicate?["checkpoint"] == nil)
        #expect(predicate?["signer"]?.string == key.verifyingKey.fingerprint.hex)
    }

    @Test("the judge of the journal gets the journal and the checkpoint, and its finding counts")
    func journal() throws {
        try Samples.write(to: bench("b"), key: key)
        let finding = VerificationFinding(.journal, in: "data/journal.jsonl", expected: "a chain", found: "a gap")
        let policy = VerificationPolicy(trusting: [key.verifyingKey]) { journal, checkpoint in
            let agrees = journal == Array(Samples.journal.utf8) && checkpoint == Samples.statement().checkpoint
            return agrees ? finding : nil
        }
        #expect(try UnverifiedBundle(at: bench("b")).finding(policy) == finding)
    }

    @Test("what is neither a directory nor a file is no bundle")
    func noBundle() throws {
        #expect { try UnverifiedBundle(at: bench("none")) } throws: { ($0 as? Failure)?.code == .notFound }
        #expect { try UnverifiedBundle(at: BytePath("/dev/null")) } throws: { ($0 as? Failure)?.code == .malformed }
        try Disk.write(Array("hello".utf8), to: bench("text"))
        #expect(try UnverifiedBundle(at: bench("text")).finding(.init(trusting: []))?.check == .packing)
    }

    @Test("a bundle's name that is no closed name is not sealed")
    func names() throws {
        var statement = Samples.statement()
        statement.name = "../up"
        let bundle = try BundleWriter(creating: bench("b"))
        #expect { try bundle.seal(statement, with: key) } throws: { ($0 as? Failure)?.code == .malformed }
    }
}
