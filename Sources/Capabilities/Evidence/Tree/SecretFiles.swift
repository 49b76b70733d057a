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
                let isPlain = path.allSatisfy(Search.isPlain)
                let place = isPlain ? path.joined(separator: ".") : "member \(path.count) deep"
                judge(path.last ?? "", Array(text.utf8), called: place)
            default: break
            }
        }

        mutating func take(lines bytes: [UInt8]) {
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() {
                let text = line.drop { $0 <= UInt8(ascii: " ") }
                guard let first = text.first, first != UInt8(ascii: "#"), first != UInt8(ascii: ";") else { continue }
                let place = "line \(index + 1)"
                if let mark = Search.mark(in: text) {
                    let words = text[..<mark].split(separator: UInt8(ascii: " "))
                    let name = Search.last(of: words.last.map { String(decoding: $0, as: UTF8.self) } ?? "")
                    let value = Search.bare(text[(mark + 1)...])
                    if Search.isReference(value) || judge(name, value, called: Search.isPlain(name) ? name : place) {
                        continue
                    }
                }
                take(text, called: place)
            }
        }

        /// What stands behind the last `/:`, as npm has it before a name: `//registry.npmjs.org/:_authToken`.
        private static func last(of name: String) -> String {
            guard name.hasPrefix("//"), let mark = name.lastIndex(of: ":"), name[..<mark].hasSuffix("/") else {
                return name
            }
            return String(name[name.index(after: mark)...])
        }

        /// Whether it is a name and cannot be a secret itself, so that it may be told.
        private static func isPlain(_ name: String) -> Bool {
            let bytes = Array(name.utf8)
            return (1...64).contains(bytes.count) && !SecretShape.isSecretValue(bytes)
                && bytes.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                        true
                    default: false
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

        /// `NAME=VALUE`, `name: value`, whichever comes first: values end in `=` as well.
        private static func mark(in line: ArraySlice<UInt8>) -> Int? {
            line.indices.first { index in
                if line[index] == UInt8(ascii: "=") { return true }
                return line[index] == UInt8(ascii: ":") && index + 1 < line.endIndex
                    && line[index + 1] == UInt8(ascii: " ")
            }
        }

        /// Without blanks and quotes around it.
        private static func bare(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
            let around: Set<UInt8> = [0x20, 0x09, 0x0D, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: ",")]
            return Array(Array(bytes.drop { around.contains($0) }.reversed()).drop { around.contains($0) }.reversed())
        }

        @discardableResult
        private mutating func judge(_ key: String, _ value: [UInt8], called name: String) -> Bool {
            let isNamed = SecretShape.isSecretName(Array(key.utf8))
            guard value.count >= SecretFiles.shortest, !Search.isReference(value),
                isNamed || !SecretText.isHarmless(value) && SecretShape.isSecretValue(value)
            else { return false }
            add(name, value)
            return true
        }

        /// `$VARIABLE`, `${VARIABLE}`: it says where a secret is to come from.
        private static func isReference(_ value: [UInt8]) -> Bool {
            guard value.first == UInt8(ascii: "$") else { return false }
            let word = value.dropFirst()
            let hasBraces = word.first == UInt8(ascii: "{") && word.last == UInt8(ascii: "}")
            let name = hasBraces ? word.dropFirst().dropLast() : word
            return !name.isEmpty && name.allSatisfy { SecretShape.isOfToken($0) && $0 != UInt8(ascii: "+") }
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
