internal import Base

/// Reads replies out of bytes. Pure; every length is checked against ``Limits`` before anything is allocated.
struct RESPParser {
    struct Limits: Sendable {
        /// Bytes of one whole reply.
        var reply = 16 << 20
        /// Bytes of one line.
        var line = 65_536
        /// Elements of one array.
        var elements = 100_000
        /// Elements of all arrays of one reply.
        var allElements = 1_000_000
        /// Arrays in arrays.
        var depth = 8
    }

    enum Step: Equatable {
        /// A reply and how many bytes it took.
        case value(RESPValue, count: Int)
        /// More bytes are needed.
        case incomplete
    }

    private let bytes: [UInt8]
    private let limits: Limits
    private var position = 0
    private var elementsLeft: Int

    /// Reads the first reply of `bytes`.
    ///
    /// - Throws: `malformed` when the bytes can never become a reply within the limits.
    static func parse(_ bytes: [UInt8], limits: Limits = Limits()) throws(Failure) -> Step {
        var parser = RESPParser(bytes: bytes, limits: limits)
        guard let value = try parser.value(depth: 0) else {
            guard bytes.count < limits.reply else { throw refusal("it is longer than \(limits.reply) bytes") }
            return .incomplete
        }
        return .value(value, count: parser.position)
    }

    private init(bytes: [UInt8], limits: Limits) {
        self.bytes = bytes
        self.limits = limits
        elementsLeft = limits.allElements
    }

    private static func refusal(_ reason: String) -> Failure {
        Failure(.malformed, "read a reply", on: "redis", because: reason)
    }

    private mutating func value(depth: Int) throws(Failure) -> RESPValue? {
        guard let line = try line(), let kind = line.first else { return nil }
        let rest = line.dropFirst()
        switch kind {
        case UInt8(ascii: "+"): return .simple(Array(rest))
        case UInt8(ascii: "-"): return .error(RESPError(Array(rest)))
        case UInt8(ascii: ":"): return .integer(try number(rest))
        case UInt8(ascii: "$"): return try bulk(length: try number(rest))
        case UInt8(ascii: "*"): return try array(count: try number(rest), depth: depth)
        default: throw Self.refusal("it begins with byte \(kind), which is no reply of version 2")
        }
    }

    /// The bytes up to CRLF, which is passed over; an empty line is never a reply.
    private mutating func line() throws(Failure) -> ArraySlice<UInt8>? {
        let window = bytes[position..<min(bytes.count, position + limits.line + 2)]
        guard let end = window.firstIndex(of: UInt8(ascii: "\r")) else {
            guard window.count <= limits.line else { throw Self.refusal("a line is longer than \(limits.line) bytes") }
            return nil
        }
        guard end + 1 < bytes.count else { return nil }
        guard bytes[end + 1] == UInt8(ascii: "\n"), end > position else {
            throw Self.refusal("a line does not end with CRLF or is empty")
        }
        defer { position = end + 2 }
        return bytes[position..<end]
    }

    private func number(_ digits: ArraySlice<UInt8>) throws(Failure) -> Int64 {
        let unsigned = digits.first == UInt8(ascii: "-") ? digits.dropFirst() : digits
        guard !unsigned.isEmpty, unsigned.allSatisfy({ (0x30...0x39).contains($0) }),
            let value = Int64(String(decoding: digits, as: UTF8.self))
        else { throw Self.refusal("a number is not a number of 64 bits") }
        return value
    }

    private mutating func bulk(length: Int64) throws(Failure) -> RESPValue? {
        if length == -1 { return .null }
        guard length >= 0, length <= limits.reply else { throw Self.refusal("a string of \(length) bytes") }
        let end = position + Int(length)
        guard end + 2 <= bytes.count else { return nil }
        guard bytes[end] == UInt8(ascii: "\r"), bytes[end + 1] == UInt8(ascii: "\n") else {
            throw Self.refusal("a string is not as long as announced")
        }
        defer { position = end + 2 }
        return .bulk(Array(bytes[position..<end]))
    }

    private mutating func array(count: Int64, depth: Int) throws(Failure) -> RESPValue? {
        if count == -1 { return .null }
        guard depth < limits.depth else { throw Self.refusal("arrays are nested deeper than \(limits.depth)") }
        guard count >= 0, count <= limits.elements, count <= elementsLeft else {
            throw Self.refusal("an array of \(count) elements")
        }
        elementsLeft -= Int(count)
        var elements: [RESPValue] = []
        for _ in 0..<count {
            guard let element = try value(depth: depth + 1) else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }
}
