import Base

/// Takes the values of secret-looking environment variables out of what runtimes keep of a container. A value becomes a
/// handle that is the same for equal values within one bundle and says nothing else but the length.
struct SecretRule {
    private static let names = [
        "KEY", "TOKEN", "SECRET", "PASS", "PWD", "CREDENTIAL", "AUTH", "COOKIE", "SESSION", "DSN", "CONNECTION",
        "PRIVATE",
        "SIGNATURE", "WEBHOOK",
    ]
    private static let beginnings = [
        "sk-", "sk_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "AKIA", "ASIA", "xoxb-", "xoxp-", "eyJ", "hf_",
        "-----BEGIN", "AIza", "npm_", "pypi-",
    ]

    private var handles: [String: Int] = [:]
    /// How many values were taken out.
    private(set) var count = 0

    /// Whether the value of a variable is not to be shown.
    static func isSecret(_ name: String, _ value: String) -> Bool {
        if value.isEmpty { return false }
        let upper = name.uppercased()
        if names.contains(where: upper.contains) { return true }
        if beginnings.contains(where: value.hasPrefix) { return true }
        // A password in an address: scheme://user:password@host.
        guard let start = value.range(of: "://")?.upperBound else { return false }
        let authority = value[start...].prefix { $0 != "/" }
        return authority.contains("@") && authority.prefix { $0 != "@" }.contains(":")
    }

    /// The same document without them: `NAME=VALUE` in lists called `env`, whatever the case.
    mutating func redact(_ value: JSONValue, under key: String = "") -> JSONValue {
        switch value {
        case .object(let object):
            var copy = JSONObject()
            for member in object.members { copy[member.key] = redact(member.value, under: member.key) }
            return .object(copy)
        case .array(let elements):
            let isEnvironment = key.lowercased() == "env"
            return .array(elements.map { isEnvironment ? entry($0) : redact($0) })
        default: return value
        }
    }

    private mutating func entry(_ value: JSONValue) -> JSONValue {
        guard let text = value.string, let equals = text.firstIndex(of: "=") else { return value }
        let name = String(text[..<equals])
        let secret = String(text[text.index(after: equals)...])
        guard SecretRule.isSecret(name, secret) else { return value }
        count += 1
        let number = handles[secret] ?? handles.count + 1
        handles[secret] = number
        return .string("\(name)=<secret \(number), \(secret.utf8.count) bytes>")
    }
}

extension String {
    /// Where a text stands in this one.
    fileprivate func range(of other: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(other) { return start..<index(start, offsetBy: other.count) }
            start = index(after: start)
        }
        return nil
    }
}
