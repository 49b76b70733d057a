import Base

/// The longest copies that a record holds, in UTF-8 bytes.
enum Bound {
    static let text = 600
    static let input = 400
    static let command = 2048
    static let path = 1024
    static let name = 128
}

extension String {
    /// The longest beginning of at most `count` UTF-8 bytes that ends at a scalar.
    func beginning(of count: Int) -> String {
        guard utf8.count > count else { return self }
        var end = utf8.index(startIndex, offsetBy: count)
        while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(Substring(utf8[..<end]))
    }
}

extension Record.Excerpt {
    /// Copies the beginning of `text`; `nil` for no text.
    init?(of text: String?, bound: Int = Bound.text) {
        guard let text, !text.isEmpty else { return nil }
        self.init(text: text.beginning(of: bound), totalBytes: Int64(text.utf8.count))
    }

    /// Copies the beginning of bytes that need not be UTF-8; invalid ones become U+FFFD.
    init(of bytes: some Collection<UInt8>) {
        let beginning = bytes.prefix(Bound.text)
        let text = String(decoding: beginning, as: UTF8.self).beginning(of: Bound.text)
        self.init(text: text, totalBytes: max(Int64(bytes.count), Int64(text.utf8.count)))
    }
}

extension JSONValue {
    /// The member's text, cut to `bound` bytes; `nil` when it is missing, empty or no text.
    func name(_ key: String, bound: Int = Bound.name) -> String? {
        guard let text = self[key]?.string, !text.isEmpty else { return nil }
        return text.beginning(of: bound)
    }

    /// A bounded JSON text of the value: long texts are cut, long lists and objects end with how much is left out.
    func digest(bound: Int = Bound.input) -> String {
        CanonicalJSON.text(of: shortened(depth: 0)).beginning(of: bound)
    }

    private func shortened(depth: Int) -> JSONValue {
        switch self {
        case .string(let text): return .string(text.beginning(of: 160))
        case .array(let elements):
            guard depth < 3 else { return .string("[\(elements.count)]") }
            return .array(elements.prefix(8).map { $0.shortened(depth: depth + 1) })
        case .object(let object):
            guard depth < 3 else { return .string("{\(object.members.count)}") }
            var short = JSONObject()
            for member in object.members.prefix(16) {
                short[member.key.beginning(of: Bound.name)] = member.value.shortened(depth: depth + 1)
            }
            return .object(short)
        default: return self
        }
    }
}
