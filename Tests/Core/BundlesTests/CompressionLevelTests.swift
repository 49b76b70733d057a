import Testing

@testable import Bundles

@Suite("which level a long stream gets")
struct CompressionLevelTests {
    @Test("what compresses well is compressed well, what does not is not looked through for long")
    func level() {
        let text = Array(String(repeating: "the agent lists the files of its folder; ", count: 5000).utf8)
        #expect(CompressionLevel.level(for: text) == -1)
        #expect(CompressionLevel.level(for: Samples.noise) == -50)
        #expect(CompressionLevel.level(for: []) == -1)
    }
}
