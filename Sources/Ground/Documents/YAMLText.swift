import Base

/// What is looked at before any parser sees the bytes: size, encoding, control characters, and aliases in such numbers
/// that merely comparing keys could take for ever.
struct YAMLText {
    let text: String
    let file: BytePath

    init(_ bytes: [UInt8], named file: BytePath, limits: DocumentLimits) throws(Failure) {
        self.file = file
        let start = Place(file: file, position: .start)
        guard bytes.count <= limits.bytes else {
            throw start.failure("it has \(bytes.count) bytes, more than the \(limits.bytes) that are allowed")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let place = Place(file: file, position: YAMLText.firstInvalid(in: bytes))
            throw place.failure("a byte that is not UTF-8", fix: "save the file as UTF-8")
        }
        self.text = text
        try refuseControlCharacters()
        try refuseAliasStorms()
    }

    func place(_ position: Position) -> Place { Place(file: file, position: position) }

    /// The position of a scalar by its offset in bytes.
    static func position(ofByte offset: Int, in bytes: some Sequence<UInt8>) -> Position {
        var line = 1
        var column = 1
        for byte in bytes.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        return Position(line: line, column: column)
    }

    private static func firstInvalid(in bytes: [UInt8]) -> Position {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var valid = 0
        while case .scalarValue(let scalar) = decoder.decode(&iterator) { valid += UTF8.width(scalar) }
        return position(ofByte: valid, in: bytes)
    }

    private func refuseControlCharacters() throws(Failure) {
        for (offset, byte) in text.utf8.enumerated() where byte < 0x20 || byte == 0x7F {
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): continue
            default:
                let position = YAMLText.position(ofByte: offset, in: text.utf8)
                throw place(position).failure("a control character, byte 0x\(Hex.encode([byte]))", fix: "remove it")
            }
        }
    }

    /// The parser resolves aliases while it reads and compares keys by content, so nested aliases in keys could take
    /// exponential time before the tree can be looked at. Words that look like aliases are harmless in small numbers.
    private func refuseAliasStorms() throws(Failure) {
        var aliases = 0
        var firstAnchor: Int?
        var previous = UInt8(ascii: "\n")
        var beforePrevious = UInt8(ascii: "\n")
        for (offset, byte) in text.utf8.enumerated() {
            if YAMLText.opensNode.contains(beforePrevious), YAMLText.isNameByte(byte) {
                if previous == UInt8(ascii: "*") { aliases += 1 }
                if previous == UInt8(ascii: "&"), firstAnchor == nil { firstAnchor = offset - 1 }
            }
            beforePrevious = previous
            previous = byte
        }
        guard aliases > 16, let firstAnchor else { return }
        let position = YAMLText.position(ofByte: firstAnchor, in: text.utf8)
        throw place(position).failure(
            "anchors and aliases are not allowed",
            fix: "write the value out where it is used"
        )
    }

    private static let opensNode = Set(" \t\n\r[]{},:-?".utf8)

    private static func isNameByte(_ byte: UInt8) -> Bool { byte > 0x20 && byte != 0x7F }
}
