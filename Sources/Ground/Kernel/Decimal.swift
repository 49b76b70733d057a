/// Numbers as the kernel prints them, read from bytes without making strings.
enum Decimal {
    /// The whole of `bytes` as an unsigned decimal, or `nil`.
    static func uint64(_ bytes: some Sequence<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        var isEmpty = true
        for byte in bytes {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !overflow, !carried else { return nil }
            value = sum
            isEmpty = false
        }
        return isEmpty ? nil : value
    }

    /// The whole of `bytes` as a decimal with an optional minus sign, or `nil`.
    static func int64(_ bytes: some Collection<UInt8>) -> Int64? {
        if bytes.first == UInt8(ascii: "-") {
            return uint64(bytes.dropFirst()).flatMap { Int64(exactly: $0) }.map { -$0 }
        }
        return uint64(bytes).flatMap { Int64(exactly: $0) }
    }

    /// The whole of `bytes` as a 32-bit decimal, or `nil`.
    static func int32(_ bytes: some Collection<UInt8>) -> Int32? {
        int64(bytes).flatMap { Int32(exactly: $0) }
    }

    /// Appends the decimal digits of a number that is not negative.
    static func append(_ number: Int32, to buffer: UnsafeMutableRawBufferPointer, at position: Int) -> Int {
        var digits = (UInt32(number), 0)
        var scratch: (UInt64, UInt64) = (0, 0)
        return withUnsafeMutableBytes(of: &scratch) { reversed in
            repeat {
                reversed[digits.1] = UInt8(ascii: "0") + UInt8(digits.0 % 10)
                digits = (digits.0 / 10, digits.1 + 1)
            } while digits.0 > 0
            for index in 0..<digits.1 { buffer[position + index] = reversed[digits.1 - 1 - index] }
            return position + digits.1
        }
    }
}
