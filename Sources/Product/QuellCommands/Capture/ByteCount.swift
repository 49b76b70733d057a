internal import ArgumentParser

/// A number of bytes as people write it: `4096`, `500K`, `20M`, `2G`, `1T`; each letter is another 1024 (IEC 80000-13).
struct ByteCount: Hashable, ExpressibleByArgument {
    /// Bytes.
    let bytes: UInt64

    /// Reads digits and one letter at most; `nil` for anything else, and for what 64 bits do not hold.
    init?(argument: String) {
        let powers: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
        let power = argument.last.flatMap { powers[$0] }
        let digits = power == nil ? argument[...] : argument.dropLast()
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt64(digits)
        else { return nil }
        let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: 1 << (power ?? 0))
        if isTooLarge { return nil }
        self.bytes = bytes
    }
}
