import Base

/// What looks like a secret: by its name, or by the shape of its value. What does is never written down, only handled
/// (see ``SecretHandle``). It errs towards withholding: a withheld harmless value costs an investigator a look into the
/// memory image; a told secret is one more place to clean up.
enum SecretShape {
    /// Parts of names, in upper case.
    static let names = [
        "KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL", "AUTH", "COOKIE", "PRIVATE", "SIGNATURE", "SIGNING", "BEARER",
        "JWT", "DSN", "WEBHOOK", "SESSION_ID", "SESSIONID", "CONNECTION_STRING", "CONNECTIONSTRING", "DATABASE_URL",
        "PWD", "_PAT", "_SAS", "_PSK", "OTP",
    ]
    /// Names that hold such a part and are known to hold a path.
    static let harmlessNames: Set<String> = ["PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY", "AUTHOR", "AUTHORS"]
    /// What tokens of known issuers begin with.
    static let tokens = [
        "sk-", "sk_", "pk_live_", "rk_live_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-",
        "xoxp-", "xoxa-", "xapp-", "AKIA", "ASIA", "AIza", "ya29.", "hf_", "npm_", "pypi-", "dop_v1_", "shpat_", "SG.",
        "eyJ", "vault:", "hvs.", "AGE-SECRET-KEY-", "-----BEGIN", "Bearer ", "Basic ",
    ]
    /// What stands before a secret inside a longer text, in lower case.
    static let assignments = [
        "password=", "passwd=", "pwd=", "secret=", "token=", "apikey=", "api_key=", "accountkey=", "sharedaccesskey=",
        "\"password\"", "\"private_key\"", "\"token\"", "\"secret\"", "bearer ", "-----begin",
    ]
    /// Bytes of a value from which on it is withheld whatever it is.
    static let longest = 4096
    /// Bytes of a run of letters and digits from which on it may be random.
    static let run = 20

    /// Whether a value under that name is a secret.
    static func isSecret(name: [UInt8], value: [UInt8]) -> Bool { isSecretName(name) || isSecretValue(value) }

    static func isSecretName(_ name: [UInt8]) -> Bool {
        let text = String(decoding: name, as: UTF8.self).uppercased()
        if harmlessNames.contains(text) { return false }
        return names.contains { text.contains($0) }
    }

    static func isSecretValue(_ value: [UInt8]) -> Bool {
        guard value.count <= longest else { return true }
        let text = String(decoding: value, as: UTF8.self)
        if tokens.contains(where: { text.hasPrefix($0) }) || namesUser(value) { return true }
        let lower = text.lowercased()
        if assignments.contains(where: { lower.contains($0) }) { return true }
        return value.split { !isOfToken($0) }.contains { looksRandom(Array($0)) }
    }

    /// A URL with somebody before the host: `scheme://user:password@host`.
    static func namesUser(_ value: [UInt8]) -> Bool {
        let mark = Array("://".utf8)
        for start in value.indices.dropLast(2) where value[start..<start + 3].elementsEqual(mark) {
            let authority = value[(start + 3)...].prefix { $0 != UInt8(ascii: "/") && $0 > UInt8(ascii: " ") }
            if authority.contains(UInt8(ascii: "@")) { return true }
        }
        return false
    }

    static func isOfToken(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "=")
    }

    /// Long, of letters and digits both, and of many different bytes. A UUID names things more often than it opens them.
    private static func looksRandom(_ run: [UInt8]) -> Bool {
        guard run.count >= SecretShape.run, run.contains(where: isLetter), run.contains(where: isDigit) else {
            return false
        }
        let isUUID = run.count == 36 && [8, 13, 18, 23].allSatisfy { run[$0] == UInt8(ascii: "-") }
        return !isUUID && Set(run).count >= 10
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
}
