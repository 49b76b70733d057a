import Base

/// The 512-byte header of one member of a packed bundle: plain POSIX ustar, every field determined by bundle, name and
/// size, so that packing is deterministic and reading is a comparison. Source: POSIX.1-2017 pax, "ustar Interchange
/// Format".
struct UstarHeader: Equatable {
    static let blockSize = 512
    /// What eleven octal digits hold: 8 GiB less one byte.
    static let largestSize: UInt64 = 8 << 30 - 1

    /// The directory that everything unpacks to, in the prefix field.
    let bundle: String
    /// The member's name, in the name field.
    let name: String
    /// Bytes of the member.
    let size: UInt64

    /// The header: mode 0600, owner 0, time 0, no names of people.
    var block: [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.blockSize)
        block.put(Array(name.utf8), at: 0)
        block.put(Self.octal(0o600, digits: 7), at: 100)
        block.put(Self.octal(0, digits: 7), at: 108)
        block.put(Self.octal(0, digits: 7), at: 116)
        block.put(Self.octal(size, digits: 11), at: 124)
        block.put(Self.octal(0, digits: 11), at: 136)
        block.put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148)
        block.put([UInt8(ascii: "0")], at: 156)
        block.put(Array("ustar\0".utf8) + Array("00".utf8), at: 257)
        block.put(Self.octal(0, digits: 7), at: 329)
        block.put(Self.octal(0, digits: 7), at: 337)
        block.put(Array(bundle.utf8), at: 345)
        let sum = block.reduce(UInt64(0)) { $0 + UInt64($1) }
        block.put(Self.octal(sum, digits: 6) + [0, UInt8(ascii: " ")], at: 148)
        return block
    }

    /// Takes the parts; `nil` when they do not fit the fields.
    init?(bundle: String, name: String, size: UInt64) {
        guard name.utf8.count <= MemberName.longest, bundle.utf8.count <= 100, size <= Self.largestSize else {
            return nil
        }
        self.bundle = bundle
        self.name = name
        self.size = size
    }

    /// Reads a header that is exactly what ``block`` writes for some name and size; else `nil`.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.blockSize,
            let name = Self.text(bytes[0..<100]), let bundle = Self.text(bytes[345..<500]),
            let size = Self.number(bytes[124..<135])
        else { return nil }
        self.init(bundle: bundle, name: name, size: size)
        guard bytes.elementsEqual(block) else { return nil }
    }

    /// Zero bytes that follow content of `size` bytes.
    static func padding(after size: UInt64) -> Int {
        Int((UInt64(blockSize) - size % UInt64(blockSize)) % UInt64(blockSize))
    }

    private static func octal(_ value: UInt64, digits: Int) -> [UInt8] {
        let text = String(value, radix: 8)
        return Array(String(repeating: "0", count: max(0, digits - text.utf8.count)).utf8) + Array(text.utf8)
    }

    private static func text(_ field: Slice<UnsafeRawBufferPointer>) -> String? {
        String(validating: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func number(_ field: Slice<UnsafeRawBufferPointer>) -> UInt64? {
        text(field).flatMap { UInt64($0, radix: 8) }
    }
}

extension [UInt8] {
    fileprivate mutating func put(_ bytes: [UInt8], at offset: Int) {
        for (index, byte) in bytes.enumerated() { self[offset + index] = byte }
    }
}
