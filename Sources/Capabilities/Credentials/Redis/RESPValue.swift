internal import Base

/// One reply of the Redis protocol, version 2 (redis.io/docs/reference/protocol-spec).
enum RESPValue: Hashable, Sendable {
    /// `+OK`
    case simple([UInt8])
    /// `-ERR words`
    case error(RESPError)
    /// `:7`
    case integer(Int64)
    /// `$3 foo`; also a null array or a null bulk string is ``null``.
    case bulk([UInt8])
    /// `$-1` or `*-1`
    case null
    /// `*2 ...`
    case array([RESPValue])

    /// The text of a simple or bulk string, for names and numbers; invalid UTF-8 is repaired.
    var text: String? {
        switch self {
        case .simple(let bytes), .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    var isOK: Bool { self == .simple(Array("OK".utf8)) }
}

/// An error reply. Only its first word leaves this room: a server may repeat the arguments of a command in its error
/// text, and with them a password.
struct RESPError: Hashable, Sendable {
    /// The first word, such as `WRONGPASS`; `UNREADABLE` when it has not the form of one.
    let code: String
    private let words: [UInt8]

    init(_ line: [UInt8]) {
        let first = line.prefix { $0 != UInt8(ascii: " ") }
        let isCode = (1...32).contains(first.count) && first.allSatisfy { (0x41...0x5a).contains($0) || $0 == 0x5f }
        code = isCode ? String(decoding: first, as: UTF8.self) : "UNREADABLE"
        words = line
    }

    /// Whether the text has these words; the text itself is never shown.
    func says(_ text: String) -> Bool { String(decoding: words, as: UTF8.self).contains(text) }
}

extension RESPError: CustomStringConvertible, CustomReflectable {
    /// The code.
    var description: String { code }
    /// Shows only the code to dumps.
    var customMirror: Mirror { Mirror(self, children: ["code": code]) }
}
