import Base
import Glibc
import Programs
import Sealing
import Testing

@testable import Bundles

/// What may be added to a bundle after its seal, and how it is judged.
@Suite("What comes after the seal")
struct LaterSealTests {
    let bench: Workbench
    let key: SigningKey
    let ada: SigningKey

    init() throws {
        bench = try Workbench()
        key = try SigningKey.generate()
        ada = try SigningKey.generate()
    }

    func trust(
        roles: [String] = ["lead"],
        _ validity: Validity = Validity(),
        sealer: Validity? = nil
    ) throws -> TrustList {
        var persons = [
            TrustedPerson(name: "ada", roles: roles, validity: validity, keys: [.init(SSHPublicKey(ada.verifyingKey))])
        ]
        if let sealer {
            let held = TrustedPerson.Key(SSHPublicKey(key.verifyingKey), sealer)
            persons.append(TrustedPerson(name: "build-7", roles: ["sealer"], keys: [held]))
        }
        return TrustList(persons)
    }

    func policy(_ trust: TrustList = .empty, _ authorities: [TimeAuthority] = []) -> VerificationPolicy {
        VerificationPolicy(trusting: [key.verifyingKey], trust: trust, timeAuthorities: authorities)
    }

    func bundle(_ policy: VerificationPolicy) throws -> VerifiedBundle {
        try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
    }

    @Test("RT31 a timestamp is none, pending, of an unknown authority or trusted, and green only without or with trust")
    func timestamp() throws {
        try Samples.write(to: bench("b"), key: key)
        _ = bench("tsa").withCString { mkdir($0, 0o700) }
        let authority = try LocalAuthority(in: "\(bench("tsa"))")
        let ca = try TimeAuthority(pem: authority.certificate)
        var found = try bundle(policy())
        #expect(found.timestamp == .none)
        #expect(found.outcome == .done)
        let root = found.root

        let query = try LaterSeal(found).requestTimestamp()
        found = try bundle(policy())
        #expect(found.timestamp == .pending)
        #expect(found.outcome == .partial)
        #expect(try LaterSeal(found).requestTimestamp() == query)
        let wrong = try authority.answer(try TimestampQuery(over: [1]).bytes)
        #expect(throws: Failure.self) { try LaterSeal(found).addTimestamp(wrong) }

        let said = try LaterSeal(found).addTimestamp(try authority.answer(query.bytes))
        found = try bundle(policy())
        guard case .unknown(let unknown) = found.timestamp else { throw Missing() }
        #expect(unknown == said)
        #expect(found.outcome == .partial)
        found = try bundle(policy(.empty, [ca]))
        guard case .trusted(let trusted) = found.timestamp else { throw Missing() }
        #expect(trusted.time == said.time)
        #expect(found.outcome == .done)
        #expect(found.root == root)
        #expect(throws: Failure.self) { try LaterSeal(found).requestTimestamp() }

        try BundlePacker.pack(found, to: bench("b.quell.tar"))
        let packed = try UnverifiedBundle(at: bench("b.quell.tar")).requireConsistent(policy(.empty, [ca]))
        #expect(packed.timestamp == found.timestamp)
        #expect(throws: Failure.self) { try LaterSeal(packed) }

        try Samples.write(to: bench("c"), key: key, statement: Samples.statement(purpose: .exercise))
        try Disk.write(try Disk.read(bench("b/seal.tsr")), to: bench("c/seal.tsr"))
        let moved = try UnverifiedBundle(at: bench("c")).finding(policy(.empty, [ca]))
        #expect(moved?.check == .timestamp)
        #expect(moved?.file == "seal.tsr")
    }

    @Test("RT31 a key counts at the time of a trusted timestamp, else now, and an expired one is told")
    func validity() throws {
        try Samples.write(to: bench("b"), key: key)
        _ = bench("tsa").withCString { mkdir($0, 0o700) }
        let authority = try LocalAuthority(in: "\(bench("tsa"))")
        let ca = try TimeAuthority(pem: authority.certificate)
        let later = Instant.now().advanced(by: .seconds(86_400))
        let ended = try trust(sealer: Validity(to: Instant.now().advanced(by: .seconds(3_600))))
        let over = try trust(sealer: Validity(to: Instant.now().advanced(by: .seconds(-3_600))))
        func judged(_ trust: TrustList, _ authorities: [TimeAuthority], at now: Instant = .now()) throws
            -> VerifiedBundle
        {
            try bundle(VerificationPolicy(trusting: [], trust: trust, timeAuthorities: authorities, now: now))
        }
        #expect(try judged(ended, []).signer.isTrusted)
        #expect(try judged(ended, []).signerName == "build-7")
        let late = try judged(ended, [], at: later)
        #expect(!late.signer.isTrusted)
        #expect(late.outcome == .partial)
        #expect(late.doubt?.contains("counted until") == true)

        let query = try LaterSeal(try judged(ended, [])).requestTimestamp()
        _ = try LaterSeal(try judged(ended, [])).addTimestamp(try authority.answer(query.bytes))
        let stamped = try judged(ended, [ca], at: later)
        #expect(stamped.signer.isTrusted)
        #expect(stamped.outcome == .done)
        let unknown = try judged(ended, [], at: later)
        #expect(!unknown.signer.isTrusted)
        let before = try judged(over, [ca])
        #expect(!before.signer.isTrusted)
        #expect(before.doubt?.contains("the time of the timestamp") == true)
    }

    @Test("RT18 a query beside the token is looked at: only the very question that the token answers may lie there")
    func queryBesideToken() throws {
        try Samples.write(to: bench("b"), key: key)
        _ = bench("tsa").withCString { mkdir($0, 0o700) }
        let authority = try LocalAuthority(in: "\(bench("tsa"))")
        let query = try LaterSeal(try bundle(policy())).requestTimestamp()
        _ = try LaterSeal(try bundle(policy())).addTimestamp(try authority.answer(query.bytes))
        // What an end between the token and the going of its question leaves: every byte of it is known.
        try Disk.write(query.bytes, to: bench("b/seal.tsq"))
        #expect(try UnverifiedBundle(at: bench("b")).finding(policy()) == nil)
        let another = try LaterSeal(try bundle(policy())).signature()
        for wrong in [
            try TimestampQuery(over: another).bytes, try TimestampQuery(over: [1]).bytes, [], query.bytes + [0],
        ] {
            try Disk.write(wrong, to: bench("b/seal.tsq"))
            let finding = try #require(try UnverifiedBundle(at: bench("b")).finding(policy()))
            #expect(finding.check == .timestamp)
            #expect(finding.file == "seal.tsq")
        }
    }

    @Test("RT31 the trust file's end of a key holds also for a key that is given, such as the store's own")
    func ended() throws {
        try Samples.write(to: bench("b"), key: key)
        let over = try trust(sealer: Validity(to: Instant.now().advanced(by: .seconds(-3_600))))
        let ended = try bundle(policy(over))
        #expect(ended.signer == .unknown(fingerprint: key.verifyingKey.fingerprint))
        #expect(ended.outcome == .partial)
        #expect(ended.doubt?.contains("counted until") == true)
        // A key that is given needs no role; only the time of the trust file speaks against it.
        let held = TrustedPerson.Key(SSHPublicKey(key.verifyingKey))
        let noSealer = TrustList([TrustedPerson(name: "kim", roles: ["lead"], keys: [held])])
        let counted = try bundle(policy(noSealer))
        #expect(counted.signer.isTrusted)
        #expect(counted.signerName == "kim")
    }

    @Test("half of what was being added is named for what it is")
    func half() throws {
        try Samples.write(to: bench("b"), key: nil)
        let unsigned = try Disk.read(bench("b/seal.unsigned.json"))
        _ = try LaterSeal(try bundle(policy())).sign(with: .key(key))
        try Disk.write(unsigned, to: bench("b/seal.unsigned.json"))
        let two = try #require(try UnverifiedBundle(at: bench("b")).finding(policy()))
        #expect(two.file == "seal.unsigned.json")
        #expect(two.found.contains("signing was interrupted"))
        _ = bench("b/seal.unsigned.json").withCString { unlink($0) }
        let found = try bundle(policy())
        let said = try CountersignatureStatement(about: found, by: "ada", as: "lead", because: nil, at: .now())
        let signature = try SSHSignature.sign(try said.bytes(), as: .countersignature, with: .key(ada))
        try LaterSeal(found).countersign(said, with: signature)
        _ = bench("b/countersignatures/ada-lead.sshsig").withCString { unlink($0) }
        let one = try #require(try UnverifiedBundle(at: bench("b")).finding(policy()))
        #expect(one.check == .countersignature)
        #expect(one.found.contains("interrupted") && one.file == "countersignatures/ada-lead.json")
        #expect(one.expected.contains("a signature beside it"))
        // A power cut keeps either name.
        _ = bench("b/countersignatures/ada-lead.json").withCString { unlink($0) }
        try Disk.write(Array(signature.text.utf8), to: bench("b/countersignatures/ada-lead.sshsig"))
        let other = try #require(try UnverifiedBundle(at: bench("b")).finding(policy()))
        #expect(other.check == .countersignature && other.file == "countersignatures/ada-lead.sshsig")
        #expect(other.found.contains("interrupted") && other.expected.contains("a statement beside it"))
        _ = bench("b/countersignatures/ada-lead.sshsig").withCString { unlink($0) }
        _ = bench("b/countersignatures").withCString { rmdir($0) }
        try Disk.write([1], to: bench("b/.adding-seal.tsr"))
        let left = try #require(try UnverifiedBundle(at: bench("b")).finding(policy()))
        #expect(left.check == .members)
        #expect(left.found.contains("interrupted"))
        #expect(left.expected.contains("take it away"))
    }

    @Test("what is added is there whole or not at all, and leaves no other name behind")
    func wholeOrNot() throws {
        try Samples.write(to: bench("b"), key: key)
        let before = Set(Workbench.names(in: bench("b")))
        _ = try LaterSeal(try bundle(policy())).requestTimestamp()
        #expect(Set(Workbench.names(in: bench("b"))) == before.union([BytePath("seal.tsq")]))
        let directory = try BundleDirectory(opening: bench("b"))
        #expect(throws: Failure.self) { try directory.publish([("seal.tsq", [1])]) }
        #expect(try Disk.read(bench("b/seal.tsq")).count == 69)
        #expect(Set(Workbench.names(in: bench("b"))) == before.union([BytePath("seal.tsq")]))
        // Where one of a pair cannot be there, the other is not either.
        #expect(throws: Failure.self) { try directory.publish([("countersignatures/a.json", [1]), ("seal.tsq", [1])]) }
        #expect(access("\(bench("b/countersignatures/a.json"))", F_OK) != 0)
    }

    @Test("who seals needs the role sealer in the trust file")
    func roles() throws {
        try Samples.write(to: bench("b"), key: ada)
        let lead = try bundle(policy(try trust()))
        #expect(lead.signer == .unknown(fingerprint: ada.verifyingKey.fingerprint))
        #expect(lead.doubt == "ada does not have the role sealer")
        #expect(try bundle(policy(try trust(roles: ["sealer"]))).signer.isTrusted)
    }

    @Test("a countersignature counts for the person, role and time of the trust file, and is told otherwise")
    func countersignature() throws {
        try Samples.write(to: bench("b"), key: key)
        let found = try bundle(policy())
        let said = try CountersignatureStatement(
            about: found,
            by: "ada",
            as: "lead",
            because: "seen \"by\":\"eve\"",
            at: Instant.now()
        )
        let signature = try SSHSignature.sign(try said.bytes(), as: .countersignature, with: .key(ada))
        try LaterSeal(found).countersign(said, with: signature)
        #expect(throws: Failure.self) { try LaterSeal(try bundle(policy())).countersign(said, with: signature) }
        let signed = try bundle(policy(try trust()))
        #expect(signed.countersignatures.map(\.statement) == [said])
        #expect(signed.countersignatures.map(\.isTrusted) == [true])
        #expect(signed.outcome == .done)
        #expect(signed.root == found.root)
        for (list, words) in [
            (TrustList.empty, "nobody's here"), (try trust(roles: ["judge"]), "does not have the role lead"),
            (try trust(Validity(to: Instant.now().advanced(by: .seconds(-60)))), "counted until"),
            (try trust(Validity(from: Instant.now().advanced(by: .seconds(60)))), "counts from"),
        ] {
            let doubted = try bundle(policy(list))
            #expect(doubted.countersignatures.first?.doubt?.contains(words) == true, "\(words)")
            #expect(doubted.outcome == .partial)
            #expect(doubted.signer.isTrusted)
        }
        try Samples.write(to: bench("c"), key: key, statement: Samples.statement(purpose: .exercise))
        let other = try UnverifiedBundle(at: bench("c")).requireConsistent(policy())
        #expect(throws: Failure.self) { try LaterSeal(other).countersign(said, with: signature) }
        let foreign = try SSHSignature.sign(try said.bytes(), as: .seal, with: .key(ada))
        #expect(throws: Failure.self) { try LaterSeal(found).countersign(said, with: foreign) }
    }

    @Test("an unsigned bundle is signed elsewhere with the same root, once")
    func signedElsewhere() throws {
        let sealed = try Samples.write(to: bench("b"), key: nil)
        let unsigned = try bundle(policy())
        #expect(unsigned.signer == .unsigned)
        #expect(throws: Failure.self) { try LaterSeal(unsigned).requestTimestamp() }
        #expect(try LaterSeal(unsigned).sign(with: .key(key)) == key.verifyingKey)
        let signed = try bundle(policy())
        #expect(signed.signer == .trusted(fingerprint: key.verifyingKey.fingerprint))
        #expect(signed.root == sealed.root)
        #expect(signed.outcome == .done)
        #expect(throws: Failure.self) { try LaterSeal(signed).sign(with: .key(key)) }
    }

    @Test("RT31 a second seal of one case, session and number with another root is a conflict")
    func conflict() throws {
        try Samples.write(to: bench("b"), key: key)
        try Samples.write(to: bench("c"), key: key, statement: Samples.statement(purpose: .exercise))
        var next = Samples.statement()
        next.number = 2
        try Samples.write(to: bench("d"), key: key, statement: next)
        func read(_ name: String) throws -> VerifiedBundle {
            try UnverifiedBundle(at: bench(name)).requireConsistent(policy())
        }
        let first = try read("b")
        let finding = try #require(first.conflict(with: try read("c")))
        #expect(finding.check == .seal)
        #expect(Outcome(finding.failure) == .notVerified)
        #expect(first.conflict(with: first) == nil)
        #expect(first.conflict(with: try read("d")) == nil)
    }

    struct Missing: Error {}
}
