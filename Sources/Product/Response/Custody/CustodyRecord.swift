public import Base
import Sealing

/// One signed line about who holds a bundle and who looked into it. Source of what it has to say: RFC 3227 section 3.2,
/// ISO/IEC 27037.
public struct CustodyRecord: Hashable, Sendable {
    /// What happened.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// It went from one person to another, or a person declares to hold it.
        case handover
        /// Somebody read it.
        case access
    }

    /// What happened.
    public var kind: Kind
    /// The number in the chain, from 1.
    public var number: Int
    /// SHA-256 of the line before, without its line feed; `nil` for the first.
    public var previous: Digest?
    /// SHA-256 of tagmanifest-sha256.txt: the bundle.
    public var root: Digest
    /// The name of the bundle in its seal.
    public var bundle: String
    /// Who acts: gives it away, or reads it.
    public var actor: String
    /// In which role, such as `investigator`.
    public var role: String
    /// Who holds it from now on; `nil` for an access.
    public var receiver: String?
    /// Why.
    public var reason: String
    /// Where: a room, a host, a safe.
    public var place: String
    /// When, by the clock of the host that recorded it.
    public var time: Instant

    /// Takes all parts but those that the chain gives: number and previous.
    public init(
        _ kind: Kind,
        of bundle: String,
        root: Digest,
        by actor: String,
        role: String,
        to receiver: String? = nil,
        reason: String,
        place: String,
        at time: Instant
    ) {
        self.kind = kind
        number = 0
        previous = nil
        self.root = root
        self.bundle = bundle
        self.actor = actor
        self.role = role
        self.receiver = receiver
        self.reason = reason
        self.place = place
        self.time = time
    }
}

extension CustodyRecord {
    /// What is signed: canonical JSON.
    var bytes: [UInt8] {
        var value = JSONObject()
        value["kind"] = .string(kind.rawValue)
        value["number"] = .integer(Int64(number))
        value["previous"] = .string(previous?.hex ?? "none")
        value["root"] = .string(root.hex)
        value["bundle"] = .string(bundle)
        value["actor"] = .string(actor)
        value["role"] = .string(role)
        value["receiver"] = receiver.map(JSONValue.string)
        value["reason"] = .string(reason)
        value["place"] = .string(place)
        value["time"] = .string("\(time)")
        return CanonicalJSON.bytes(of: .object(value))
    }

    /// Reads exactly what ``bytes`` writes.
    ///
    /// - Throws: `malformed` with why it is none.
    init(parsing text: [UInt8]) throws(Failure) {
        let value = try JSONReader.read(text, limits: .init(bytes: 1 << 20, depth: 4))
        guard let kind = value["kind"]?.string.flatMap({ Kind(rawValue: $0) }), let number = value["number"]?.integer,
            let previous = value["previous"]?.string, let root = value["root"]?.string.flatMap({ Digest(hex: $0) }),
            let bundle = value["bundle"]?.string, let actor = value["actor"]?.string, let role = value["role"]?.string,
            let reason = value["reason"]?.string, let place = value["place"]?.string,
            let time = value["time"]?.string.flatMap({ Instant(rfc3339: $0) })
        else { throw CustodyRecord.malformed("a member is missing, or not of its form") }
        self.init(
            kind,
            of: bundle,
            root: root,
            by: actor,
            role: role,
            to: value["receiver"]?.string,
            reason: reason,
            place: place,
            at: time
        )
        self.number = Int(number)
        self.previous = Digest(hex: previous)
        guard bytes == text else { throw CustodyRecord.malformed("it is not in canonical form") }
    }

    private static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the custody", on: "a record", because: reason)
    }

    /// The line, without its line feed.
    func signed(by signer: Signer) throws(Failure) -> [UInt8] {
        try DSSE.sign(bytes, as: .custody, with: signer).bytes
    }
}
