import Base

/// Reads the binary forms of RFC 4251 section 5 from bytes that anybody may have made: every length is checked before
/// anything is taken.
struct SSHReader {
    private let bytes: [UInt8]
    private var position: Int
    private let subject: String

    /// Starts at the first byte; `subject` names the object in failures.
    init(_ bytes: [UInt8], of subject: String) {
        self.bytes = bytes
        self.subject = subject
        position = 0
    }

    var isAtEnd: Bool { position == bytes.count }

    /// So many bytes as they are.
    mutating func raw(_ count: Int) throws(Failure) -> [UInt8] {
        guard count <= bytes.count - position else { throw malformed("it ends too early") }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func byte() throws(Failure) -> UInt8 { try raw(1)[0] }

    mutating func uint32() throws(Failure) -> UInt32 {
        try raw(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A length and so many bytes.
    mutating func string() throws(Failure) -> [UInt8] {
        let count = try uint32()
        guard count <= UInt32(bytes.count) else { throw malformed("a length reaches behind its end") }
        return try raw(Int(count))
    }

    /// A string of printable ASCII, such as the name of an algorithm; at most 64 bytes.
    mutating func name() throws(Failure) -> String {
        let bytes = try string()
        guard bytes.count <= 64, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw malformed("a name is none") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A number that is not negative, in the shortest form; its bytes with the sign bit, which is also DER's form.
    mutating func number() throws(Failure) -> [UInt8] {
        let bytes = try string()
        guard let first = bytes.first, first & 0x80 == 0 else { throw malformed("a number is zero or negative") }
        if first == 0 {
            guard bytes.count > 1, bytes[1] & 0x80 != 0 else { throw malformed("a number is not in its shortest form") }
        }
        return bytes
    }

    /// Nothing may follow.
    func end() throws(Failure) {
        guard isAtEnd else { throw malformed("something follows its end") }
    }

    func malformed(_ reason: String) -> Failure { Failure(.malformed, "read", on: subject, because: reason) }
}

/// Writes the binary forms of RFC 4251 section 5.
enum SSHWire {
    static func uint32(_ value: Int) -> [UInt8] {
        let word = UInt32(clamping: value)
        return [UInt8(word >> 24), UInt8(word >> 16 & 0xFF), UInt8(word >> 8 & 0xFF), UInt8(word & 0xFF)]
    }

    static func string(_ bytes: [UInt8]) -> [UInt8] { uint32(bytes.count) + bytes }

    static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }
}

/// The few forms of DER (X.690) that libcrypto wants keys and signatures in.
enum DER {
    static func sequence(_ content: [UInt8]) -> [UInt8] { object(0x30, content) }

    /// `number` is an ``SSHReader/number()``.
    static func integer(_ number: [UInt8]) -> [UInt8] { object(0x02, number) }

    static func bitString(_ content: [UInt8]) -> [UInt8] { object(0x03, [0] + content) }

    static func octets(_ content: [UInt8]) -> [UInt8] { object(0x04, content) }

    private static func object(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag] + length(content.count) + content }

    private static func length(_ count: Int) -> [UInt8] {
        if count < 0x80 { return [UInt8(count)] }
        let bytes = Array(SSHWire.uint32(count).drop { $0 == 0 })
        return [0x80 | UInt8(bytes.count)] + bytes
    }
}
