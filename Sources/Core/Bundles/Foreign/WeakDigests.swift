import Base

/// MD5 (RFC 1321) and SHA-1 (RFC 3174) of one content, for nothing but comparing it with what a foreign collector wrote
/// down: neither proves anything against somebody who wants to deceive, and Quell signs neither.
public struct WeakDigests {
    private var md5: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476]
    private var sha1: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    private var block: [UInt8] = []
    private var words = [UInt32](repeating: 0, count: 80)
    private var length: UInt64 = 0

    /// Of nothing so far.
    public init() { block.reserveCapacity(64) }

    /// Takes more bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(64 - block.count)
            block += part
            rest = rest.dropFirst(part.count)
            if block.count == 64 { takeBlock() }
        }
    }

    /// Both in lower-case hexadecimal digits, of everything that was taken.
    public mutating func finish() -> (md5: String, sha1: String) {
        let bits = length &* 8
        block.append(0x80)
        var other = self
        pad(bits: bits, isBigEndian: false)
        other.pad(bits: bits, isBigEndian: true)
        let first = md5.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        let second = other.sha1.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - $0 * 8)) } }
        return (Hex.encode(first), Hex.encode(second))
    }

    private mutating func pad(bits: UInt64, isBigEndian: Bool) {
        if block.count == 64 { takeBlock() }
        while block.count != 56 {
            block.append(0)
            if block.count == 64 { takeBlock() }
        }
        for index in 0..<8 { block.append(UInt8(truncatingIfNeeded: bits >> ((isBigEndian ? 7 - index : index) * 8))) }
        takeBlock()
    }

    private mutating func takeBlock() {
        takeMD5()
        takeSHA1()
        block.removeAll(keepingCapacity: true)
    }

    private mutating func takeMD5() {
        for index in 0..<16 {
            words[index] = (0..<4).reduce(0) { $0 | UInt32(block[index * 4 + $1]) << ($1 * 8) }
        }
        var (a, b, c, d) = (md5[0], md5[1], md5[2], md5[3])
        for index in 0..<64 {
            let (mixed, word): (UInt32, Int) =
                switch index {
                case 0..<16: (b & c | ~b & d, index)
                case 16..<32: (d & b | ~d & c, (5 * index + 1) % 16)
                case 32..<48: (b ^ c ^ d, (3 * index + 5) % 16)
                default: (c ^ (b | ~d), 7 * index % 16)
                }
            let sum = mixed &+ a &+ WeakDigests.sines[index] &+ words[word]
            let turn = WeakDigests.turns[index / 16 * 4 + index % 4]
            (a, d, c, b) = (d, c, b, b &+ (sum << turn | sum >> (32 - turn)))
        }
        md5 = [md5[0] &+ a, md5[1] &+ b, md5[2] &+ c, md5[3] &+ d]
    }

    private mutating func takeSHA1() {
        for index in 0..<16 { words[index] = (0..<4).reduce(0) { $0 << 8 | UInt32(block[index * 4 + $1]) } }
        for index in 16..<80 {
            let mixed = words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
            words[index] = mixed << 1 | mixed >> 31
        }
        var (a, b, c, d, e) = (sha1[0], sha1[1], sha1[2], sha1[3], sha1[4])
        for index in 0..<80 {
            let (mixed, constant): (UInt32, UInt32) =
                switch index {
                case 0..<20: (b & c | ~b & d, 0x5A82_7999)
                case 20..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case 40..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let sum = (a << 5 | a >> 27) &+ mixed &+ e &+ constant &+ words[index]
            (e, d, c, b, a) = (d, c, b << 30 | b >> 2, a, sum)
        }
        sha1 = [sha1[0] &+ a, sha1[1] &+ b, sha1[2] &+ c, sha1[3] &+ d, sha1[4] &+ e]
    }

    private static let turns: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
    private static let sines: [UInt32] = [
        0xD76A_A478, 0xE8C7_B756, 0x2420_70DB, 0xC1BD_CEEE, 0xF57C_0FAF, 0x4787_C62A, 0xA830_4613, 0xFD46_9501,
        0x6980_98D8, 0x8B44_F7AF, 0xFFFF_5BB1, 0x895C_D7BE, 0x6B90_1122, 0xFD98_7193, 0xA679_438E, 0x49B4_0821,
        0xF61E_2562, 0xC040_B340, 0x265E_5A51, 0xE9B6_C7AA, 0xD62F_105D, 0x0244_1453, 0xD8A1_E681, 0xE7D3_FBC8,
        0x21E1_CDE6, 0xC337_07D6, 0xF4D5_0D87, 0x455A_14ED, 0xA9E3_E905, 0xFCEF_A3F8, 0x676F_02D9, 0x8D2A_4C8A,
        0xFFFA_3942, 0x8771_F681, 0x6D9D_6122, 0xFDE5_380C, 0xA4BE_EA44, 0x4BDE_CFA9, 0xF6BB_4B60, 0xBEBF_BC70,
        0x289B_7EC6, 0xEAA1_27FA, 0xD4EF_3085, 0x0488_1D05, 0xD9D4_D039, 0xE6DB_99E5, 0x1FA2_7CF8, 0xC4AC_5665,
        0xF429_2244, 0x432A_FF97, 0xAB94_23A7, 0xFC93_A039, 0x655B_59C3, 0x8F0C_CC92, 0xFFEF_F47D, 0x8584_5DD1,
        0x6FA8_7E4F, 0xFE2C_E6E0, 0xA301_4314, 0x4E08_11A1, 0xF753_7E82, 0xBD3A_F235, 0x2AD7_D2BB, 0xEB86_D391,
    ]
}
