/// Bytes in the order of x86_64: little-endian, as an ELF file of it has them.
struct ByteBuilder {
    private(set) var bytes: [UInt8] = []

    mutating func add<Number: FixedWidthInteger>(_ value: Number) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func add(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// A field of `size` bytes: the first of `text`, then zeros, at least one.
    mutating func add(field text: some Collection<UInt8>, size: Int) {
        let kept = text.prefix(size - 1)
        bytes.append(contentsOf: kept)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: size - kept.count))
    }

    /// Zeros up to the next multiple of `alignment`.
    mutating func pad(to alignment: Int) {
        let over = bytes.count % alignment
        if over > 0 { bytes.append(contentsOf: [UInt8](repeating: 0, count: alignment - over)) }
    }
}
