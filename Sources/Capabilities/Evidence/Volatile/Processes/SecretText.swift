import Base

/// Takes what looks like a secret (see ``SecretShape``) out of arguments and out of what runtimes write down, and leaves a
/// handle: `<secret, 12 bytes, keyed:0123456789abcdef>`, the digest being that of ``SecretDigest``.
///
/// Ids and digests of 64 hexadecimal digits and paths stay: they name things, and an investigator needs them.
struct SecretText {
    /// Members of documents that hold arguments, in lower case.
    private static let argumentLists: Set<String> = ["args", "cmd", "entrypoint", "test", "command", "createcommand"]
    /// Bytes between which words of a text stand.
    private static let separators = Set(" \t\n\r\"'`;&|(){}[]<>,".utf8)

    private let digest: SecretDigest
    /// How many values were taken out.
    private(set) var count = 0

    init(_ digest: SecretDigest) { self.digest = digest }

    /// The arguments of a process, or of a command that somebody wrote down.
    mutating func redact(_ arguments: [BytePath]) -> [BytePath] {
        var isExpected = false
        return arguments.map { argument in
            let bytes = argument.bytes
            let wasExpected = isExpected
            isExpected = SecretText.announces(bytes)
            if wasExpected, !bytes.isEmpty, bytes.first != UInt8(ascii: "-") { return BytePath(handle(bytes)) }
            return BytePath(redact(bytes))
        }
    }

    /// A document of a runtime.
    mutating func redact(_ value: JSONValue, under key: String = "") -> JSONValue {
        switch value {
        case .object(let object):
            var copy = JSONObject()
            for member in object.members { copy[member.key] = redact(member.value, under: member.key) }
            return .object(copy)
        case .array(let elements):
            let lower = key.lowercased()
            if lower == "env" { return .array(elements.map { variable($0) }) }
            let texts = elements.compactMap(\.string)
            if SecretText.argumentLists.contains(lower), texts.count == elements.count {
                return .array(redact(texts.map { BytePath($0) }).map(\.json))
            }
            return .array(elements.map { redact($0, under: key) })
        case .string(let text):
            let bytes = Array(text.utf8)
            if SecretShape.isSecretName(Array(key.utf8)), !SecretText.isHarmless(bytes) { return told(handle(bytes)) }
            return told(redact(bytes))
        default: return value
        }
    }

    private func told(_ bytes: [UInt8]) -> JSONValue { .string(String(decoding: bytes, as: UTF8.self)) }

    /// `NAME=VALUE`, as in the environment of a process.
    private mutating func variable(_ value: JSONValue) -> JSONValue {
        guard let text = value.string, let equals = text.firstIndex(of: "=") else { return redact(value) }
        let (name, secret) = (Array(text[..<equals].utf8), Array(text[text.index(after: equals)...].utf8))
        guard !secret.isEmpty, SecretShape.isSecret(name: name, value: secret) else { return value }
        return told(name + [UInt8(ascii: "=")] + handle(secret))
    }

    /// A text with its words looked at one by one.
    private mutating func redact(_ text: [UInt8]) -> [UInt8] {
        var told: [UInt8] = []
        var rest = text[...]
        var isExpected = false
        while let first = rest.first {
            if SecretText.separators.contains(first) {
                told.append(first)
                rest = rest.dropFirst()
                continue
            }
            let word = Array(rest.prefix { !SecretText.separators.contains($0) })
            rest = rest.dropFirst(word.count)
            // A colon or a scheme of authorization between a name and its value.
            if isExpected, word == [UInt8(ascii: ":")] || word == [UInt8(ascii: "=")] || SecretText.isScheme(word) {
                told += word
                continue
            }
            told += isExpected ? handle(word) : judged(word)
            isExpected =
                SecretText.announces(word) || SecretText.isScheme(word)
                || rest.starts(with: "\":".utf8) && SecretShape.isSecretName(word)
        }
        return told
    }

    private mutating func judged(_ word: [UInt8]) -> [UInt8] {
        if let mark = word.firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") }) {
            let (name, value) = (Array(word[..<mark]), Array(word[(mark + 1)...]))
            let isNamed = SecretShape.isSecretName(name) && !value.isEmpty && !SecretText.isHarmless(value)
            if isNamed, !value.starts(with: "//".utf8) { return name + [word[mark]] + handle(value) }
        }
        return SecretText.isSecret(word) ? handle(word) : word
    }

    private mutating func handle(_ value: [UInt8]) -> [UInt8] {
        count += 1
        return Array("<secret, \(value.count) bytes, keyed:\(digest.of(value))>".utf8)
    }

    /// Whether a secret follows: `--password`, `password:`.
    private static func announces(_ word: [UInt8]) -> Bool {
        guard word.first == UInt8(ascii: "-") || word.last == UInt8(ascii: ":"), !word.contains(UInt8(ascii: "="))
        else {
            return false
        }
        return SecretShape.isSecretName(word)
    }

    private static func isScheme(_ word: [UInt8]) -> Bool {
        ["bearer", "basic"].contains(String(decoding: word, as: UTF8.self).lowercased())
    }

    private static func isSecret(_ word: [UInt8]) -> Bool {
        SecretShape.isSecretValue(word) && !isHarmless(word) && !isNamed(word)
    }

    /// Whether each part of a word that could be random names something: `sha256:` and its like, and ids.
    private static func isNamed(_ word: [UInt8]) -> Bool {
        let parts = word.split { !SecretShape.isOfToken($0) }.map(Array.init)
        let suspect = parts.filter { SecretShape.isSecretValue($0) }
        return !suspect.isEmpty && suspect.allSatisfy(isID) && !SecretShape.namesUser(word)
    }

    /// Whether it names something: an id, a path.
    static func isHarmless(_ value: [UInt8]) -> Bool {
        isID(value) || [UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "~")].contains(value.first)
    }

    private static func isID(_ word: [UInt8]) -> Bool {
        word.count == 64 && word.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
    }
}
