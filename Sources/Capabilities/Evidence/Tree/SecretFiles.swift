import Base

/// Files of configuration that hold secrets more often than not, known by their names: what agents, shells, package managers
/// and clouds read credentials from.
enum SecretFiles {
    /// Bytes of a file from which on it is not looked into.
    static let longest: UInt64 = 1 << 20
    /// Values of one file that are told; more are counted.
    static let mostValues = 256
    /// Bytes of a value below which it is a word.
    private static let shortest = 6

    private static let names: Set<String> = [
        ".mcp.json", "mcp.json", "mcp_config.json", ".claude.json", "claude_desktop_config.json", "settings.local.json",
        "openclaw.json", "auth.json", ".env", ".envrc", ".npmrc", ".yarnrc.yml", ".pypirc", ".netrc",
        ".git-credentials",
        ".pgpass", ".my.cnf", ".htpasswd", ".dockercfg", ".s3cfg", ".boto", "credentials", "credentials.json",
        "service-account.json", "kubeconfig", "terraform.tfvars", "secrets.json", "secrets.yaml", "secrets.yml",
        "secrets.toml", "id_rsa", "id_ecdsa", "id_ed25519",
    ]

    /// Whether a file of that name is looked into.
    static func mayHold(_ path: BytePath) -> Bool {
        let name = path.lastComponent
        if let text = name.text, names.contains(text) { return true }
        let bytes = name.bytes
        return bytes.starts(with: ".env.".utf8) || bytes.suffix(4).elementsEqual(".pem".utf8)
            || bytes.suffix(4).elementsEqual(".key".utf8)
    }

    /// One value that looks like a secret: never the value itself.
    struct Value: Hashable, Sendable {
        /// Where in the file: `mcpServers.github.env.TOKEN`, a variable, `line 7`. Of the session's words.
        let name: String
        let length: Int
        let digest: String

        var json: JSONValue {
            ["name": .string(name), "length": .integer(Int64(length)), "digest": .string("keyed:" + digest)]
        }
    }

    /// The values in a file that look like secrets, in its order, and how many more there are.
    static func values(in bytes: [UInt8], _ digest: SecretDigest) -> (found: [Value], more: Int) {
        var search = Search(digest: digest)
        if let document = document(bytes) {
            search.take(document, at: [])
        } else {
            search.take(lines: bytes)
        }
        return (search.found, search.more)
    }

    /// What is no JSON has lines.
    private static func document(_ bytes: [UInt8]) -> JSONValue? {
        guard let first = bytes.first(where: { $0 > UInt8(ascii: " ") }), "{[".utf8.contains(first) else { return nil }
        do throws(Failure) {
            let limits = JSONReader.Limits(bytes: Int(longest), depth: 32)
            return try JSONReader.read(bytes, manner: .lenient, limits: limits)
        } catch {
            return nil
        }
    }

    private struct Search {
        let digest: SecretDigest
        var found: [Value] = []
        var more = 0

        mutating func take(_ value: JSONValue, at path: [String]) {
            switch value {
            case .object(let object): for member in object.members { take(member.value, at: path + [member.key]) }
            case .array(let elements):
                for (index, element) in elements.enumerated() { take(element, at: path + [String(index)]) }
            case .string(let text):
                judge(path.last ?? "", Array(text.utf8), called: path.joined(separator: "."))
            default: break
            }
        }

        mutating func take(lines bytes: [UInt8]) {
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() {
                let text = line.drop { $0 <= UInt8(ascii: " ") }
                guard let first = text.first, first != UInt8(ascii: "#"), first != UInt8(ascii: ";") else { continue }
                if let mark = Search.mark(in: text) {
                    let words = text[..<mark].split(separator: UInt8(ascii: " "))
                    let name = words.last.map { String(decoding: $0, as: UTF8.self) } ?? ""
                    judge(name, Search.bare(text[(mark + 1)...]), called: name.isEmpty ? "line \(index + 1)" : name)
                } else {
                    take(text, called: "line \(index + 1)")
                }
            }
        }

        /// Words without a mark between them: `password X` as netrc(5) has it, a URL with somebody in it, a key.
        private mutating func take(_ line: ArraySlice<UInt8>, called name: String) {
            let words = line.split { $0 <= UInt8(ascii: " ") }.map(Array.init)
            for (word, next) in zip(words, words.dropFirst()) where Search.announces(word) {
                return add(name, next)
            }
            var text = SecretText(digest)
            _ = text.redact([BytePath(Array(line))])
            if text.count > 0 { add(name, Array(line)) }
        }

        private static func announces(_ word: [UInt8]) -> Bool {
            ["password", "passwd", "secret", "token"].contains { word.elementsEqual($0.utf8) }
        }

        /// `NAME=VALUE`, `name: value`.
        private static func mark(in line: ArraySlice<UInt8>) -> Int? {
            if let mark = line.firstIndex(of: UInt8(ascii: "=")) { return mark }
            return line.indices.dropLast().first { line[$0] == UInt8(ascii: ":") && line[$0 + 1] == UInt8(ascii: " ") }
        }

        /// Without blanks and quotes around it.
        private static func bare(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
            let around: Set<UInt8> = [0x20, 0x09, 0x0D, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: ",")]
            return Array(Array(bytes.drop { around.contains($0) }.reversed()).drop { around.contains($0) }.reversed())
        }

        @discardableResult
        private mutating func judge(_ key: String, _ value: [UInt8], called name: String) -> Bool {
            // `${VARIABLE}` says where a secret is to come from.
            guard value.count >= SecretFiles.shortest, value.first != UInt8(ascii: "$"), !SecretText.isHarmless(value),
                SecretShape.isSecret(name: Array(key.utf8), value: value)
            else { return false }
            add(name, value)
            return true
        }

        private mutating func add(_ name: String, _ value: [UInt8]) {
            guard found.count < SecretFiles.mostValues else {
                more += 1
                return
            }
            let short = name.utf8.count <= 256 ? name : String(name.prefix(64)) + "..."
            found.append(Value(name: short, length: value.count, digest: digest.of(value)))
        }
    }
}
