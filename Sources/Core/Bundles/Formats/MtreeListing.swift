import Base

/// A line of an mtree that is marked `optional`: the archive holds no object for it, so nothing but its form can be checked.
/// The form is closed: what ``MtreeLine`` writes for some entry, and no other keyword (RT18).
struct MtreeListing {
    /// The path with `./` in front, escaped, as it stands in the line.
    let path: ArraySlice<UInt8>
    let isDirectory: Bool

    /// The path of the directory that it lies in, escaped; `.` for the root.
    var parent: ArraySlice<UInt8> { path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex)] }

    /// Reads exactly what ``MtreeLine/bytes(of:digest:)`` writes for an entry that is not archived; `nil` for anything else.
    init?(_ line: [UInt8]) {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard let path = words.first, Self.isPath(path) else { return nil }
        var rest = words.dropFirst()
        func take(_ keyword: String, _ isValue: (ArraySlice<UInt8>) -> Bool) -> Bool {
            guard let word = rest.first, word.starts(with: keyword.utf8), isValue(word.dropFirst(keyword.utf8.count))
            else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let kind = rest.first.map({ String(decoding: $0, as: UTF8.self) }),
            ["type=file", "type=dir", "type=link", "type=fifo", "type=socket", "type=block", "type=char"]
                .contains(kind)
        else { return nil }
        rest = rest.dropFirst()
        isDirectory = kind == "type=dir"
        guard take("mode=0", { $0.count <= 4 && Self.isNumber($0, below: UInt8(ascii: "8")) }),
            take("uid=", { Self.isNumber($0) }), take("gid=", { Self.isNumber($0) })
        else { return nil }
        if !isDirectory { guard take("nlink=", { Self.isNumber($0) }) else { return nil } }
        switch kind {
        case "type=file": guard take("size=", { Self.isNumber($0) }) else { return nil }
        case "type=link": guard take("link=", { Self.isEscaped($0) }) else { return nil }
        case "type=block", "type=char":
            let isDevice = take("device=native,") { value in
                let numbers = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                return numbers.count == 2 && numbers.allSatisfy { Self.isNumber($0) }
            }
            guard isDevice else { return nil }
        default: break
        }
        guard take("time=", Self.isTime), take("optional", \.isEmpty), rest.isEmpty else { return nil }
        self.path = path
    }

    /// `./` and components that are escaped, none of them empty, `.` or `..`.
    private static func isPath(_ path: ArraySlice<UInt8>) -> Bool {
        let components = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard components.count > 1, components.first?.elementsEqual(".".utf8) == true else { return false }
        return components.dropFirst().allSatisfy { component in
            !component.isEmpty && !component.elementsEqual(".".utf8) && !component.elementsEqual("..".utf8)
                && isEscaped(component)
        }
    }

    /// Bytes that stand as they are, and three octal digits behind a backslash for every other one.
    private static func isEscaped(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        while let byte = rest.first {
            guard byte == UInt8(ascii: "\\") else {
                guard MtreeLine.isPlain(byte) else { return false }
                rest = rest.dropFirst()
                continue
            }
            let digits = rest.dropFirst().prefix(3)
            guard digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) else { return false }
            let value = digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
            guard let escaped = UInt8(exactly: value), !MtreeLine.isPlain(escaped) else { return false }
            rest = rest.dropFirst(4)
        }
        return true
    }

    private static func isNumber(_ text: ArraySlice<UInt8>, below end: UInt8 = UInt8(ascii: ":")) -> Bool {
        guard let first = text.first, text.count <= 20 else { return false }
        return text.allSatisfy { $0 >= UInt8(ascii: "0") && $0 < end }
            && (text.count == 1 || first != UInt8(ascii: "0"))
    }

    /// Seconds, which may be negative, a point and nine digits.
    private static func isTime(_ text: ArraySlice<UInt8>) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        let seconds = parts[0].first == UInt8(ascii: "-") ? parts[0].dropFirst() : parts[0]
        return isNumber(seconds) && parts[1].count == 9 && parts[1].allSatisfy { (0x30...0x39).contains($0) }
    }
}
