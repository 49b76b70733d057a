import Base

/// Watches the bytes of a pax archive on their way to libarchive and lets only what every reader frames alike pass: headers
/// of ustar with the types that Quell writes, numbers that are nothing but numbers, each keyword once, zeros at the end.
///
/// libarchive and GNU tar forgive what makes Python's tarfile stop, so without it an archive could show one of them less
/// (RT18). Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header".
struct TarFraming {
    private enum State {
        case header
        case content(UInt64)
        /// The records of an extended header and, behind them, its padding.
        case records(UInt64, padding: UInt64)
        case padding(UInt64)
        case end(zeros: UInt64)
    }

    private var state = State.header
    private var block: [UInt8] = []
    private var records = PaxRecords()
    private var isExtended = false

    /// Takes the next bytes; what is wrong with them, in words of what was expected and what was found.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> (expected: String, found: String)? {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch state {
            case .header:
                let part = rest.prefix(512 - block.count)
                block += part
                rest = rest.dropFirst(part.count)
                if block.count == 512 {
                    if let problem = takeHeader() { return problem }
                    block.removeAll(keepingCapacity: true)
                }
            case .content(let left):
                let count = min(left, UInt64(rest.count))
                rest = rest.dropFirst(Int(count))
                state = left == count ? .header : .content(left - count)
            case .records(let left, let padding):
                let part = rest.prefix(Int(min(left, UInt64(rest.count))))
                if let problem = records.take(part) { return ("an extended header as every reader takes it", problem) }
                rest = rest.dropFirst(part.count)
                let more = left - UInt64(part.count)
                state = more > 0 ? .records(more, padding: padding) : .padding(padding)
                if more == 0, !records.isWhole { return ("whole records", "one that is cut") }
                if more == 0, padding == 0 { state = .header }
            case .padding(let left):
                let part = rest.prefix(Int(min(left, UInt64(rest.count))))
                guard part.allSatisfy({ $0 == 0 }) else { return ("zeros behind an extended header", "other bytes") }
                rest = rest.dropFirst(part.count)
                let more = left - UInt64(part.count)
                state = more > 0 ? .padding(more) : .header
            case .end(let zeros):
                guard rest.allSatisfy({ $0 == 0 }) else { return ("zeros at the end of the archive", "other bytes") }
                state = .end(zeros: zeros + UInt64(rest.count))
                rest = rest.dropFirst(rest.count)
            }
        }
        return nil
    }

    /// What is wrong with where it ended.
    func finish() -> (expected: String, found: String)? {
        guard case .end(let zeros) = state, zeros >= 1024, zeros % 512 == 0 else {
            return ("two blocks of zeros at the end of the archive", "none")
        }
        return nil
    }

    private mutating func takeHeader() -> (expected: String, found: String)? {
        if block.allSatisfy({ $0 == 0 }) {
            if isExtended { return ("an entry behind its extended header", "the end of the archive") }
            state = .end(zeros: 512)
            return nil
        }
        guard block[257..<265].elementsEqual(Array("ustar\u{0}00".utf8)) else { return ("a ustar header", "another") }
        for (field, name) in Self.numbers where !Self.isNumber(block[field]) {
            return ("a number as \(name) in a header", Hex.encode(block[field]))
        }
        guard Self.isOctal(block[148..<154]), block[154] == 0, block[155] == 0x20 else {
            return ("a checksum in a header", Hex.encode(block[148..<156]))
        }
        guard let size = Self.size(block[124..<136]) else { return ("a size in a header", "none") }
        return takeEntry(of: block[156], size)
    }

    private mutating func takeEntry(of type: UInt8, _ size: UInt64) -> (expected: String, found: String)? {
        if type == UInt8(ascii: "x") {
            if isExtended { return ("one extended header for each entry", "two") }
            guard size > 0 else { return ("records in an extended header", "none") }
            isExtended = true
            records = PaxRecords()
            state = .records(size, padding: (512 - size % 512) % 512)
            return nil
        }
        let length = isExtended ? records.size ?? size : size
        isExtended = false
        records = PaxRecords()
        switch type {
        case UInt8(ascii: "0"):
            guard length <= UInt64(Int64.max) - 512 else { return ("a size in a header", "\(length)") }
            let padded = length + (512 - length % 512) % 512
            state = padded > 0 ? .content(padded) : .header
            return nil
        case UInt8(ascii: "1")...UInt8(ascii: "6"):
            return length == 0 ? nil : ("no content behind an entry that is no file", "\(length) bytes")
        default: return ("an entry of a type that Quell writes", "type \(Hex.encode([type]))")
        }
    }

    private static let numbers: [(Range<Int>, String)] = [
        (100..<108, "mode"), (108..<116, "uid"), (116..<124, "gid"), (124..<136, "size"), (136..<148, "time"),
        (329..<337, "device"), (337..<345, "device"),
    ]

    /// Octal digits, then nothing but zero bytes or spaces; or the base-256 form that all readers know.
    private static func isNumber(_ field: ArraySlice<UInt8>) -> Bool {
        guard let first = field.first else { return false }
        if first == 0x80 || first == 0xFF { return true }
        let digits = field.prefix { (0x30...0x37).contains($0) }
        return !digits.isEmpty && field.dropFirst(digits.count).allSatisfy { $0 == 0 || $0 == 0x20 }
    }

    private static func isOctal(_ field: ArraySlice<UInt8>) -> Bool { field.allSatisfy { (0x30...0x37).contains($0) } }

    private static func size(_ field: ArraySlice<UInt8>) -> UInt64? {
        if field.first == 0x80 {
            guard field.dropFirst().prefix(3).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard field.first != 0xFF else { return nil }
        let digits = field.prefix { (0x30...0x37).contains($0) }
        return digits.reduce(0) { $0 << 3 | UInt64($1 - 0x30) }
    }
}

/// The records of one extended header, `LENGTH KEY=VALUE` and a line feed, taken in any pieces.
struct PaxRecords {
    /// The size that an entry has by its record.
    private(set) var size: UInt64?

    private var keys: Set<String> = []
    private var length = 0
    private var head: [UInt8] = []
    private var left: Int?
    private var value: [UInt8] = []
    private var isSize = false

    private static let longestKey = 1024

    /// Whether the last record ended.
    var isWhole: Bool { left == nil && head.isEmpty }

    /// Takes the next bytes; what is wrong with them.
    mutating func take(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
        var rest = bytes
        while let byte = rest.first {
            if let left {
                // Within a value: all but its last byte, which is a line feed.
                let count = min(left - 1, rest.count)
                if count > 0 {
                    if isSize { value += rest.prefix(count) }
                    if isSize, value.count > 20 { return "a size of more than 20 digits" }
                    self.left = left - count
                    rest = rest.dropFirst(count)
                    continue
                }
                guard byte == 0x0A else { return "a record without a line feed" }
                if isSize, let problem = endSize() { return problem }
                self.left = nil
                head = []
                rest = rest.dropFirst()
                continue
            }
            rest = rest.dropFirst()
            guard byte == UInt8(ascii: "=") else {
                head.append(byte)
                if head.count > Self.longestKey { return "a keyword that does not end" }
                continue
            }
            if let problem = beginValue() { return problem }
        }
        return nil
    }

    private mutating func beginValue() -> String? {
        let digits = head.prefix { (0x30...0x39).contains($0) }
        guard (1...9).contains(digits.count), digits.first != 0x30, head.dropFirst(digits.count).first == 0x20,
            let length = Int(String(decoding: digits, as: UTF8.self))
        else { return "a record without its length" }
        let name = head.dropFirst(digits.count + 1)
        let key = String(decoding: name, as: UTF8.self)
        guard !key.isEmpty, keys.insert(key).inserted else { return "a keyword twice" }
        guard length > head.count + 1 else { return "a record that is shorter than its keyword" }
        left = length - head.count - 1
        isSize = key == "size"
        value = []
        return nil
    }

    private mutating func endSize() -> String? {
        let isNumber = !value.isEmpty && value.allSatisfy { (0x30...0x39).contains($0) }
        guard isNumber, let number = UInt64(String(decoding: value, as: UTF8.self)) else {
            return "a size that is none"
        }
        size = number
        return nil
    }
}
