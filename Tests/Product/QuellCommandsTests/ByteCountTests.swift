import Testing

@testable import QuellCommands

@Suite("bytes as people write them")
struct ByteCountTests {
    @Test(
        "digits, and a letter for each 1024",
        arguments: [
            ("0", 0), ("4096", 4096), ("3K", 3072), ("20M", 20_971_520), ("2G", 2_147_483_648), ("1T", 1 << 40),
        ]
    )
    func taken(text: String, bytes: UInt64) {
        #expect(ByteCount(argument: text)?.bytes == bytes)
    }

    @Test(
        "what is no such number, or more than 64 bits hold, is refused",
        arguments: ["", "K", "-1", "+1", "1k", "1 K", "1KB", "0x10", "1.5G", "20000000T", "18446744073709551616", "٣"]
    )
    func refused(text: String) {
        #expect(ByteCount(argument: text) == nil)
    }
}
