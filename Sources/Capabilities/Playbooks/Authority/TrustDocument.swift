public import Base
import Documents
public import Sealing

/// Reads `trust.yaml`, the trust file of persons:
///
///     persons:
///       - name: ada
///         roles: [lead]
///         logins: [a.lovelace]
///         from: 2026-01-01
///         to: 2027-01-01T12:00:00Z
///         keys:
///           - ssh-ed25519 AAAA... ada@desk
///           - { key: ssh-rsa AAAA..., to: 2026-11-01 }
///
///     timeAuthorities:
///       - |
///         -----BEGIN CERTIFICATE-----
///
/// A key is a line of OpenSSH's, or a public key in PEM, as `quell init` writes it: hosts whose seals count are persons with
/// the role `sealer`. `timeAuthorities` are certificates of the CAs of time stamping authorities.
///
/// `logins` are the names by which hosts know the person beside `name`; `from` counts, `to` does not any more; a day begins
/// at midnight in UTC.
public enum TrustDocument {
    private static let personKeys = ["name", "roles", "logins", "from", "to", "keys"]

    /// The persons of a file.
    ///
    /// - Throws: `malformed` with file, line and column, and the fix.
    public static func parse(_ bytes: [UInt8], named file: BytePath) throws(Failure) -> TrustList {
        let mapping = try YAMLReader.read(bytes, named: file).mapping(known: ["persons", "timeAuthorities"])
        var persons: [TrustedPerson] = []
        for item in try mapping.required("persons").list() {
            let person = try person(item)
            try refuseTwice(person, persons, item)
            persons.append(person)
        }
        var authorities: [TimeAuthority] = []
        for item in try mapping["timeAuthorities"]?.list() ?? [] { authorities.append(try item.timeAuthority()) }
        return TrustList(persons, timeAuthorities: authorities)
    }

    private static func person(_ document: Document) throws(Failure) -> TrustedPerson {
        let mapping = try document.mapping(known: personKeys)
        var roles: [String] = []
        for role in try mapping["roles"]?.list() ?? [] { roles.append(try role.word()) }
        let list = try mapping.required("keys")
        var keys: [TrustedPerson.Key] = []
        for item in try list.list() { keys.append(try key(item)) }
        guard !keys.isEmpty else { throw list.place.failure("a person has at least one key") }
        var logins: [String] = []
        for login in try mapping["logins"]?.list() ?? [] { logins.append(try login.login()) }
        return TrustedPerson(
            name: try mapping.required("name").personName(),
            roles: roles,
            logins: logins,
            validity: try mapping.validity(),
            keys: keys
        )
    }

    private static func key(_ document: Document) throws(Failure) -> TrustedPerson.Key {
        guard case .mapping = document.content else { return TrustedPerson.Key(try document.sshKey()) }
        let mapping = try document.mapping(known: ["key", "from", "to"])
        return TrustedPerson.Key(try mapping.required("key").sshKey(), try mapping.validity())
    }

    /// One name, one login and one key belong to one person.
    private static func refuseTwice(
        _ person: TrustedPerson,
        _ others: [TrustedPerson],
        _ document: Document
    ) throws(Failure) {
        let keys = person.keys.map(\.key)
        guard Set(keys).count == keys.count else { throw document.place.failure("\(person.name) has one key twice") }
        for other in others {
            let names = [person.name] + person.logins
            if let name = names.first(where: other.isKnown) {
                throw document.place.failure(
                    "\"\(name)\" is \(other.name) already",
                    fix: "give each person a name and logins of their own"
                )
            }
            if let key = keys.first(where: { key in other.keys.contains { $0.key == key } }) {
                throw document.place.failure(
                    "the key \(key.fingerprint) is \(other.name)'s already",
                    fix: "a key belongs to one person"
                )
            }
        }
    }
}

extension Document {
    fileprivate func personName() throws(Failure) -> String {
        let text = try string()
        let isName = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._@-".utf8.contains(byte)
            }
        }
        guard isName, (1...64).contains(text.utf8.count) else {
            throw expected("a name of letters, digits and ._@-, at most 64")
        }
        return text
    }

    fileprivate func login() throws(Failure) -> String {
        let text = try string()
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
            throw expected("a login name")
        }
        return text
    }

    fileprivate func sshKey() throws(Failure) -> SSHPublicKey {
        let line = try string()
        if let key = VerifyingKey(pem: line) { return SSHPublicKey(key) }
        do {
            return try SSHPublicKey(line: line)
        } catch {
            throw place.failure("no SSH public key: \(error.reason)", fix: "paste the line of a .pub file")
        }
    }

    fileprivate func timeAuthority() throws(Failure) -> TimeAuthority {
        do {
            return try TimeAuthority(pem: try string())
        } catch {
            throw place.failure(error.reason, fix: "paste the certificate of the authority's CA, in PEM")
        }
    }

    fileprivate func moment() throws(Failure) -> Instant {
        let text = try string()
        guard let moment = Instant(rfc3339: text) ?? Instant(rfc3339: "\(text)T00:00:00Z") else {
            throw expected("a day such as 2026-11-22 or a time such as 2026-11-22T18:00:00Z")
        }
        return moment
    }
}

extension DocumentMapping {
    fileprivate func validity() throws(Failure) -> Validity {
        let from = try self["from"]?.moment()
        guard let end = self["to"] else { return Validity(from: from) }
        let to = try end.moment()
        if let from, to <= from { throw end.place.failure("\"to\" is not after \"from\"") }
        return Validity(from: from, to: to)
    }
}
