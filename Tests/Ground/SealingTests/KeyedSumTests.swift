import Base
import Testing

@testable import Sealing

@Suite("keyed sums")
struct KeyedSumTests {
    private func sum(_ pieces: [[UInt8]], _ key: SumKey, number: UInt64 = 0) -> KeyedSum.Tag {
        var sum = KeyedSum(key, number: number)
        for piece in pieces { piece.withUnsafeBytes { sum.update($0) } }
        return sum.finish()
    }

    @Test("nothing under the key and start of zeros gives the tag of the GCM specification, test case 13")
    func vector() {
        let tag = sum([], SumKey(bytes: [UInt8](repeating: 0, count: 32)))
        #expect(tag.high == 0x530F_8AFB_C745_36B9 && tag.low == 0xA963_B4F1_C4CB_738B)
    }

    @Test("pieces give the sum of the whole; another bit, length, key or number gives another")
    func differs() throws {
        let key = try SumKey()
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let whole = sum([content], key)
        #expect(sum([Array(content[..<33]), [], Array(content[33...])], key) == whole)
        for place in [0, 1, 50_000, 99_999] {
            var altered = content
            altered[place] ^= 1
            #expect(sum([altered], key) != whole)
        }
        #expect(sum([content + [0]], key) != whole)
        #expect(sum([Array(content.dropLast())], key) != whole)
        #expect(sum([content], try SumKey()) != whole)
        #expect(sum([content], key, number: 1) != whole)
    }
}
