import Base
import Sealing

/// Names a secret without telling it: where it was found, its length, and a digest under a key that this capture drew
/// and keeps nowhere. Two equal secrets of one bundle have equal digests; nobody can try guesses against them, and a
/// digest says nothing outside its bundle.
struct SecretDigest: Sendable {
    private let key: [UInt8]

    /// Draws a key.
    init() { key = (0..<32).map { _ in UInt8.random(in: .min ... .max) } }

    /// The first 16 hexadecimal digits of SHA-256 over the key, the value and the key.
    func of(_ value: [UInt8]) -> String { String(SHA256.digest(of: key + value + key).hex.prefix(16)) }
}

/// One variable of an environment as it is told.
struct ToldVariable: Hashable, Sendable {
    /// Its name; `nil` when the name itself looks like a secret.
    let name: BytePath?
    /// Its value, unless that looks like a secret.
    let value: BytePath?
    /// Where it stands in the environment, from 0.
    let number: Int
    /// Bytes of the value.
    let length: Int
    /// The digest of a value that is withheld.
    let digest: String?

    /// Takes an entry `NAME=VALUE`; `nil` for one without `=`, which is no variable and could be a secret itself.
    init?(_ entry: BytePath, number: Int, _ digest: SecretDigest) {
        guard let equals = entry.bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let name = Array(entry.bytes[..<equals])
        let value = Array(entry.bytes[(equals + 1)...])
        let isTold = !SecretShape.isSecretValue(name)
        let isSecret = !isTold || SecretShape.isSecret(name: name, value: value)
        self.number = number
        self.name = isTold ? BytePath(name) : nil
        self.value = isSecret ? nil : BytePath(value)
        self.digest = isSecret ? digest.of(value) : nil
        length = value.count
    }

    /// `env:PID:NAME`, or `env:PID:#N` when the name is none that could be typed.
    func handle(of pid: Int32) -> String {
        guard let text = name?.text, !text.isEmpty, text.utf8.count <= 128, text.utf8.allSatisfy(ToldVariable.isOfName)
        else { return "env:\(pid):#\(number)" }
        return "env:\(pid):\(text)"
    }

    func json(of pid: Int32) -> JSONValue {
        var line = JSONObject()
        line["name"] = name?.json
        if let value {
            line["value"] = value.json
        } else {
            line["handle"] = .string(handle(of: pid))
            line["length"] = .integer(Int64(length))
            line["digest"] = digest.map { .string("keyed:" + $0) }
        }
        return .object(line)
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == UInt8(ascii: "_")
    }
}
