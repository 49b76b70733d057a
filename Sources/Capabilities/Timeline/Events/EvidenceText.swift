public import Base

/// Words from the evidence: bytes that a session may have chosen. They become text for people only through an escaper,
/// and stand in JSON only under keys declared untrusted.
public struct EvidenceText: Hashable, Sendable {
    /// The bytes.
    public let bytes: [UInt8]

    /// Takes a text, cut to ``Event/textBound`` bytes at a scalar.
    public init(_ text: String) {
        let all = Array(text.utf8)
        guard all.count > Event.textBound else {
            bytes = all
            return
        }
        var end = Event.textBound
        while end > 0, all[end] & 0xC0 == 0x80 { end -= 1 }
        bytes = Array(all[..<end])
    }

    /// Takes a path whole; the kernel bounds it.
    public init(_ path: BytePath) {
        bytes = path.bytes
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Whether there is nothing.
    public var isEmpty: Bool { bytes.isEmpty }

    /// Made safe for a terminal (RT37).
    public var terminal: String {
        if let text = String(validating: bytes, as: UTF8.self) { return Escaped.terminal(text) }
        return Escaped.terminal(BytePath(bytes))
    }

    /// A text, or `{"bytes": BASE64}` when it is not UTF-8.
    public var json: JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return ["bytes": .string(Base64.encode(bytes))]
    }

    /// How the store keeps it: `t` and the text, or `b` and base64 for bytes that SQLite's texts would not keep.
    var stored: String {
        if let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) { return "t" + text }
        return "b" + Base64.encode(bytes)
    }

    /// Reads what ``stored`` writes; anything else is taken as it stands.
    init(stored: String) {
        if stored.hasPrefix("b"), let bytes = Base64.decode(String(stored.dropFirst())) {
            self.bytes = bytes
        } else {
            bytes = Array(stored.utf8.dropFirst())
        }
    }
}
