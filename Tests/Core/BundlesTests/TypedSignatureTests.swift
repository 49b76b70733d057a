import Base
import Sealing
import Testing

@testable import Bundles

/// Every object that Quell signs, in front of everything that checks one.
@Suite("RT32 Typed signatures")
struct TypedSignatureTests {
    static let key: SigningKey? = try? SigningKey.generate()

    /// One signed object and the one check that it passes.
    struct Signed: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
    }

    /// Everything that is signed: DSSE and SSHSIG of each type, a checkpoint.
    static func objects(_ key: SigningKey, over payload: [UInt8]) throws -> [Signed] {
        var objects: [Signed] = []
        for type in PayloadType.allCases {
            objects.append(
                Signed(testDescription: "dsse \(type)", bytes: try DSSE.sign(payload, as: type, with: key).bytes)
            )
            let ssh = try SSHSignature.sign(payload, as: type, with: key)
            objects.append(Signed(testDescription: "ssh \(type)", bytes: Array(ssh.text.utf8)))
        }
        if let checkpoint = Checkpoint(origin: "quell-case/a", size: 1, root: SHA256.digest(of: payload)) {
            objects.append(
                Signed(testDescription: "checkpoint", bytes: Array(try checkpoint.sign(with: key).text.utf8))
            )
        }
        return objects
    }

    /// The names of all checks that let the object pass.
    static func passes(_ object: Signed, _ key: SigningKey, over payload: [UInt8]) -> [String] {
        var passed: [String] = []
        for type in PayloadType.allCases {
            if (try? DSSE.Envelope(parsing: object.bytes).verify(as: type, with: key.verifyingKey)) == payload {
                passed.append("dsse \(type)")
            }
            if (try? SSHSignature(parsing: object.bytes).verify(payload, as: type)) != nil {
                passed.append("ssh \(type)")
            }
        }
        let text = String(decoding: object.bytes, as: UTF8.self)
        if (try? SignedNote(parsing: text).verify(with: key.verifyingKey)) != nil { passed.append("checkpoint") }
        return passed
    }

    @Test("RT32 every signed object passes its own check and no other")
    func matrix() throws {
        let key = try #require(Self.key)
        let payload = Array("{}".utf8)
        let objects = try Self.objects(key, over: payload)
        #expect(objects.count == 2 * PayloadType.allCases.count + 1)
        for object in objects { #expect(Self.passes(object, key, over: payload) == [object.testDescription]) }
    }

    @Test("RT32 the check of a bundle's seal, of its timestamp and of its countersignatures takes none of the others")
    func bundles() throws {
        let key = try #require(Self.key)
        let bench = try Workbench()
        try Samples.write(to: bench("b"), key: key)
        let policy = VerificationPolicy(trusting: [key.verifyingKey])
        let honest = try Forger(bench("b"))
        let payload = try DSSE.Envelope(parsing: honest.files["seal.dsse.json"] ?? []).unverifiedPayload
        let stem = "countersignatures/ada-lead"
        let said = try CountersignatureStatement(
            about: try UnverifiedBundle(at: bench("b")).requireConsistent(policy),
            by: "ada",
            as: "lead",
            because: nil,
            at: Instant(seconds: 1_795_358_900)
        ).bytes()
        for object in try Self.objects(key, over: payload) {
            var forged = honest
            forged.files["seal.dsse.json"] = object.bytes
            let isSeal = object.testDescription == "dsse seal"
            #expect((try Self.finding(forged, bench, policy) == nil) == isSeal, "\(object.testDescription)")
            forged = honest
            forged.files["seal.tsr"] = object.bytes
            #expect(try Self.finding(forged, bench, policy)?.check == .timestamp, "\(object.testDescription)")
        }
        for object in try Self.objects(key, over: said) {
            var forged = honest
            forged.files[stem + ".json"] = said
            forged.files[stem + ".sshsig"] = object.bytes
            let isIt = object.testDescription == "ssh countersignature"
            #expect((try Self.finding(forged, bench, policy) == nil) == isIt, "\(object.testDescription)")
        }
    }

    private static func finding(
        _ forged: Forger,
        _ bench: Workbench,
        _ policy: VerificationPolicy
    ) throws -> VerificationFinding? {
        let target = bench("forged.tar")
        try Disk.write(Forger.tar(forged.sortedMembers), to: target)
        return try UnverifiedBundle(at: target).finding(policy)
    }
}
