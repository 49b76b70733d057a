/// How a volume under a passphrase wants it to be hashed, read before anything is hashed: the number of rounds stands in the
/// volume, and whoever made it chose it (RFC 5652 section 6.2.4, RFC 8018 section A.2).
enum PassphraseCost {
    /// What is hashed at most. Quell writes 1,300,000 rounds, which is half a second; this is about two.
    static let most: UInt64 = 5_000_000

    /// What is wrong with it; `nil` when a volume is not under a passphrase or may be tried.
    static func problem(of volume: [UInt8]) -> String? {
        var reader = Reader(volume.prefix(4096))
        // ContentInfo: EnvelopedData is for passphrases only; what goes to recipients is AuthEnvelopedData.
        guard reader.enter(0x30), let type = reader.value(0x06) else { return "it does not begin as a CMS structure" }
        guard type.elementsEqual(envelopedData) else { return nil }
        let odd = "its passphrase is hashed in another way than Quell does"
        guard reader.enter(0xA0), reader.enter(0x30), reader.value(0x02) != nil,
            let recipients = reader.value(0x31)
        else { return odd }
        var set = Reader(recipients)
        // One way to open it: each further one would be hashed for as well.
        guard let recipient = set.value(0xA3), set.isAtEnd else { return odd }
        var password = Reader(recipient)
        guard password.value(0x02) != nil, let derivation = password.value(0xA0) else { return odd }
        var algorithm = Reader(derivation)
        guard let name = algorithm.value(0x06), name.elementsEqual(pbkdf2), let parameters = algorithm.value(0x30),
            algorithm.isAtEnd
        else { return odd }
        var numbers = Reader(parameters)
        guard let salt = numbers.value(0x04), salt.count <= 1024, let rounds = numbers.value(0x02),
            (1...8).contains(rounds.count), rounds.first.map({ $0 < 0x80 }) == true
        else { return odd }
        let count = rounds.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard count <= most else { return "its passphrase is hashed \(count) times, more than \(most)" }
        return nil
    }

    /// 1.2.840.113549.1.7.3
    private static let envelopedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03]
    /// 1.2.840.113549.1.5.12
    private static let pbkdf2: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0C]

    /// Takes the beginning of BER apart, front to back.
    private struct Reader {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

        var isAtEnd: Bool { rest.isEmpty }

        /// Goes into a value of any length; what ends it is not looked at.
        mutating func enter(_ tag: UInt8) -> Bool {
            guard rest.first == tag else { return false }
            if rest.dropFirst().first == 0x80 {
                rest = rest.dropFirst(2)
                return true
            }
            guard let (_, start) = header() else { return false }
            rest = rest.dropFirst(start)
            return true
        }

        /// Takes a value of a length that is told.
        mutating func value(_ tag: UInt8) -> ArraySlice<UInt8>? {
            guard rest.first == tag, let (count, start) = header(), count <= rest.count - start else { return nil }
            let value = rest.dropFirst(start).prefix(count)
            rest = rest.dropFirst(start + count)
            return value
        }

        /// The length of the value, and how many bytes stand before it.
        private func header() -> (count: Int, start: Int)? {
            guard let first = rest.dropFirst().first, first != 0x80 else { return nil }
            if first < 0x80 { return (Int(first), 2) }
            let digits = rest.dropFirst(2).prefix(Int(first & 0x7F))
            guard digits.count == Int(first & 0x7F), digits.count <= 4 else { return nil }
            return (digits.reduce(0) { $0 << 8 | Int($1) }, 2 + digits.count)
        }
    }
}
