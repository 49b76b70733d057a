/// Reads fixed fields out of bytes that the kernel wrote in host order; outside the bounds it gives `nil`.
struct ByteReader: Equatable {
    let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var count: Int { bytes.count }

    func slice(_ start: Int, upTo end: Int) -> ByteReader? {
        guard start >= 0, start <= end, end <= count else { return nil }
        return ByteReader(bytes[bytes.startIndex + start..<bytes.startIndex + end])
    }

    func dropping(_ length: Int) -> ByteReader { ByteReader(bytes.dropFirst(length)) }

    func uint8(at offset: Int) -> UInt8? { load(at: offset) }
    func uint16(at offset: Int) -> UInt16? { load(at: offset) }
    func uint32(at offset: Int) -> UInt32? { load(at: offset) }
    func uint64(at offset: Int) -> UInt64? { load(at: offset) }
    func int32(at offset: Int) -> Int32? { load(at: offset) }

    private func load<Value: FixedWidthInteger>(at offset: Int) -> Value? {
        guard let field = slice(offset, upTo: offset + MemoryLayout<Value>.size) else { return nil }
        return field.bytes.withUnsafeBytes { $0.loadUnaligned(as: Value.self) }
    }
}
