public import Base

/// What somebody says who countersigns: about which bundle, who, in which role, why and when. Its canonical JSON is what
/// `ssh-keygen -Y sign -n quell-countersignature` signs, so nobody signs a bare digest (RT32).
public struct CountersignatureStatement: Hashable, Sendable, Codable {
    /// Always ``kind``.
    public let type: String
    /// The name of the bundle.
    public let bundle: String
    /// The case.
    public let caseID: String
    /// Which seal of the case it is.
    public let number: Int
    /// SHA-256 of tagmanifest-sha256.txt.
    public let root: Digest
    /// Who countersigns, by the name in the trust file: letters, digits and `._@-`.
    public let by: String
    /// In which role, such as `lead`: `[a-z0-9-]+`.
    public let role: String
    /// Why; `nil` when nothing was said.
    public let reason: String?
    /// When, by the clock of whoever signs.
    public let signed: Instant

    /// What tells this text from every other that is signed.
    public static let kind = "urn:quell:countersignature:v1"
    /// The most bytes that the text may have.
    static let sizeLimit = 16 << 10

    /// Says something about a bundle.
    ///
    /// - Throws: `malformed` when name or role are not of their form, or the reason is longer than 4 KiB.
    public init(
        about bundle: VerifiedBundle,
        by name: String,
        as role: String,
        because reason: String?,
        at moment: Instant
    ) throws(Failure) {
        type = Self.kind
        self.bundle = bundle.statement.name
        caseID = bundle.statement.caseID
        number = bundle.statement.number
        root = bundle.root
        by = name
        self.role = role
        self.reason = reason
        signed = moment
        try requireForm()
    }

    /// Reads exactly what ``bytes()`` writes.
    ///
    /// - Throws: `malformed`.
    public init(parsing text: [UInt8]) throws(Failure) {
        let value = try JSONReader.read(text, limits: .init(bytes: Self.sizeLimit, depth: 4))
        self = try JSONDecoding.decode(CountersignatureStatement.self, from: value)
        guard try bytes() == text, type == Self.kind else { throw Self.malformed("it is not in canonical form") }
        try requireForm()
    }

    /// The canonical JSON, without a final newline.
    public func bytes() throws(Failure) -> [UInt8] { try JSONEncoding.canonicalBytes(of: self) }

    /// What its two files are called, without their ends.
    public var stem: String {
        let name = by.lowercased().map { $0 == "@" ? "-at-" : String($0) }.joined()
        let plain = name.hasPrefix(".") ? "x" + name : name
        return "\(plain.prefix(40))-\(role)"
    }

    private func requireForm() throws(Failure) {
        let isName = by.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._@-".utf8.contains(byte)
            }
        }
        guard isName, (1...64).contains(by.utf8.count) else {
            throw Self.malformed("a name is 1 to 64 letters, digits and ._@-")
        }
        guard VolumeName.problem(of: role) == nil, role.utf8.count <= 24 else {
            throw Self.malformed("a role is 1 to 24 of a-z, 0-9 and hyphen")
        }
        guard reason?.utf8.count ?? 0 <= 4096 else { throw Self.malformed("its reason is longer than 4 KiB") }
    }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the countersignature", on: "its statement", because: reason)
    }
}
