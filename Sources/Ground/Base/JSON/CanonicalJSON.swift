/// Writes JSON as RFC 8785 (JSON Canonicalization Scheme) does: members sorted by UTF-16 code units, no space, shortest
/// escapes. The same value always gives the same bytes, so digests and signatures over it can be checked anywhere.
///
/// Integers stay within the 53 bits that I-JSON (RFC 7493) keeps exact: ``JSONEncoding`` writes larger ones as decimal
/// text. A larger ``JSONValue/integer(_:)`` made by hand is written with all its digits. Fractions are written in the
/// shortest form that reads back to the same double, in the notation of ECMAScript.
public enum CanonicalJSON {
    /// The canonical bytes of `value`.
    public static func bytes(of value: JSONValue) -> [UInt8] {
        var output: [UInt8] = []
        write(value, to: &output)
        return output
    }

    /// The canonical text of `value`.
    public static func text(of value: JSONValue) -> String {
        String(decoding: bytes(of: value), as: UTF8.self)
    }

    private static func write(_ value: JSONValue, to output: inout [UInt8]) {
        switch value {
        case .null: output += "null".utf8
        case .bool(let flag): output += (flag ? "true" : "false").utf8
        case .integer(let number): output += String(number).utf8
        case .number(let number): output += ecmaScript(number).utf8
        case .string(let text): write(text, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                write(element, to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            for (index, member) in sorted(object.members).enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                write(member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                write(member.value, to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    /// Members that are written often come in their order already; looking is cheaper than sorting.
    private static func sorted(_ members: [JSONObject.Member]) -> [JSONObject.Member] {
        let isSorted = members.indices.dropFirst().allSatisfy { !precedes(members[$0].key, members[$0 - 1].key) }
        return isSorted ? members : members.sorted { precedes($0.key, $1.key) }
    }

    /// The order of UTF-16 code units, which for ASCII is that of the bytes.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        var one = left.utf8.makeIterator()
        var other = right.utf8.makeIterator()
        while true {
            guard let second = other.next() else { return false }
            guard let first = one.next() else { return true }
            if first < 0x80, second < 0x80 {
                if first == second { continue }
                return first < second
            }
            return left.utf16.lexicographicallyPrecedes(right.utf16)
        }
    }

    private static func write(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            if bytes.contains(where: needsEscape) {
                escape(bytes, to: &output)
            } else {
                output.append(contentsOf: bytes)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func escape(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""): output += "\\\"".utf8
            case UInt8(ascii: "\\"): output += "\\\\".utf8
            case 0x08: output += "\\b".utf8
            case 0x09: output += "\\t".utf8
            case 0x0A: output += "\\n".utf8
            case 0x0C: output += "\\f".utf8
            case 0x0D: output += "\\r".utf8
            case 0..<0x20: output += "\\u00\(Hex.encode([byte]))".utf8
            default: output.append(byte)
            }
        }
    }

    /// ECMAScript's Number::toString: plain digits from 1e-6 up to 1e21, else an exponent with a sign.
    private static func ecmaScript(_ number: Double) -> String {
        if number == 0 { return "0" }
        if number < 0 { return "-" + ecmaScript(-number) }
        let (digits, exponent) = shortestDigits(number)
        let count = digits.count
        if count <= exponent, exponent <= 21 { return digits + String(repeating: "0", count: exponent - count) }
        if 0 < exponent, exponent <= 21 { return digits.prefix(exponent) + "." + digits.dropFirst(exponent) }
        if -6 < exponent, exponent <= 0 { return "0." + String(repeating: "0", count: -exponent) + digits }
        let power = exponent - 1
        let sign = power < 0 ? "-" : "+"
        let mantissa = count == 1 ? digits : digits.prefix(1) + "." + digits.dropFirst(1)
        return "\(mantissa)e\(sign)\(power.magnitude)"
    }

    /// The shortest digits d and the exponent n with number = 0.d × 10^n, from Swift's shortest description.
    private static func shortestDigits(_ number: Double) -> (digits: String, exponent: Int) {
        let parts = number.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        let whole = mantissa[0] == "0" ? "" : String(mantissa[0])
        let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
        let all = whole + fraction
        let leading = all.prefix { $0 == "0" }.count
        var digits = all.dropFirst(leading)
        while digits.last == "0" { digits.removeLast() }
        let power = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        return (String(digits), whole.count - leading + power)
    }
}
