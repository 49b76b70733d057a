import Base
public import Sealing

/// A countersignature whose signature was checked: what was said, by which key, and whether that key's word counts here.
public struct Countersignature: Hashable, Sendable {
    /// What was said.
    public let statement: CountersignatureStatement
    /// The key that signed.
    public let key: SSHPublicKey
    /// Why it does not count here; `nil` when it does.
    public let doubt: String?

    /// Whether its key is that of the person it names, who has the role, in its time.
    public var isTrusted: Bool { doubt == nil }
}

/// Reads countersignatures/: each statement has one signature, is about this bundle, and the signature is over it. Whether
/// the person counts is told, and is never wrong.
struct CountersignatureCheck {
    static let most = 64

    let files: SmallFiles
    let policy: VerificationPolicy

    func read(about seal: InTotoStatement) throws(Problem) -> [Countersignature] {
        let names = files.names.filter { $0.hasPrefix(BundleFiles.countersignatures) }
        var result: [Countersignature] = []
        for name in names where name.hasSuffix(".sshsig") {
            let base = String(name.dropLast(".sshsig".count))
            guard names.contains(base + ".json") else { throw half(name, "a statement beside it") }
            guard result.count < Self.most else { throw wrong(name, "at most \(Self.most)", "more") }
            result.append(try read(base, about: seal))
        }
        for name in names where name.hasSuffix(".json") {
            let base = String(name.dropLast(".json".count))
            guard names.contains(base + ".sshsig") else { throw half(name, "a signature beside it") }
        }
        return result
    }

    private func read(_ base: String, about seal: InTotoStatement) throws(Problem) -> Countersignature {
        let text = try bytes(of: base + ".json", most: CountersignatureStatement.sizeLimit)
        let signature = try bytes(of: base + ".sshsig", most: SSHSignature.sizeLimit)
        let said = try form(base + ".json") { () throws(Failure) in try CountersignatureStatement(parsing: text) }
        let about = seal.statement
        guard said.root == seal.root, said.bundle == about.name, said.caseID == about.caseID,
            said.number == about.number
        else {
            throw wrong(base + ".json", "a statement about the bundle \(seal.root)", "one about \(said.root)")
        }
        guard BundleFiles.countersignatures + said.stem == base else {
            throw wrong(base + ".json", "its statement in \(said.stem).json", "it here")
        }
        let key = try form(base + ".sshsig") { () throws(Failure) in
            try SSHSignature(parsing: signature).verify(text, as: .countersignature)
        }
        return Countersignature(statement: said, key: key, doubt: doubt(said, key))
    }

    private func doubt(_ said: CountersignatureStatement, _ key: SSHPublicKey) -> String? {
        guard let owner = policy.trust.owner(of: key) else { return "the key \(key.fingerprint) is nobody's here" }
        guard owner.name == said.by else { return "the key is \(owner.name)'s" }
        guard owner.roles.contains(said.role) else { return "\(owner.name) does not have the role \(said.role)" }
        guard let held = owner.keys.first(where: { $0.key == key }) else { return nil }
        return held.validity.doubt(within: owner.validity, at: said.signed, "when it was signed")
            ?? held.validity.doubt(within: owner.validity, at: policy.now, "now")
    }

    private func bytes(of name: String, most: Int) throws(Problem) -> [UInt8] {
        let found = try files.bytes(of: name, most: UInt64(most)) { wrong(name, "at most \(most) bytes", "\($0)") }
        guard let found else { throw wrong(name, "this file", "none") }
        return found
    }

    private func half(_ name: String, _ expected: String) -> Problem {
        wrong(name, "\(expected), or neither: take it away", "none, as when countersigning was interrupted")
    }

    private func form<Result>(_ name: String, _ body: () throws(Failure) -> Result) throws(Problem) -> Result {
        do {
            return try body()
        } catch {
            throw wrong(name, "a countersignature of this bundle", error.reason)
        }
    }

    private func wrong(_ file: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.countersignature, in: file, expected: expected, found: found))
    }
}
