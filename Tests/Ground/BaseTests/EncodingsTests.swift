import Base
import Testing

@Suite("base64, hex and digests")
struct EncodingsTests {
    /// RFC 4648 section 10.
    static let vectors = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]

    @Test("base64 as in RFC 4648", arguments: vectors)
    func base64(plain: String, encoded: String) {
        #expect(Base64.encode(plain.utf8) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test("every byte survives base64 and hex in every position")
    func everyByte() {
        for length in 1...4 {
            for byte in UInt8.min...UInt8.max {
                let bytes = [UInt8](repeating: byte, count: length)
                #expect(Base64.decode(Base64.encode(bytes)) == bytes)
                #expect(Hex.decode(Hex.encode(bytes)) == bytes)
            }
        }
    }

    @Test(
        "base64 that is not canonical is refused",
        arguments: [
            "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm9v=", "Zm 9v", "Zm9v\n", "Zm-_", "=Zm9",
            "Zg==Zg==", "A",
        ]
    )
    func notCanonical(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test("hex is lower case and of even length", arguments: ["0", "0A", "0g", " 00", "0x00", "ÿÿ"])
    func notHex(text: String) {
        #expect(Hex.decode(text) == nil)
    }

    @Test("a digest has 32 bytes and 64 lower-case digits")
    func digest() throws {
        let hex = String(repeating: "0f", count: 32)
        let digest = try #require(Digest(hex: hex))
        #expect(digest.hex == hex)
        #expect("\(digest)" == hex)
        #expect(Digest(hex: hex.uppercased()) == nil)
        #expect(Digest(hex: String(hex.dropLast(2))) == nil)
        #expect(Digest(hex: hex + "00") == nil)
        #expect(Digest(bytes: [UInt8](repeating: 0, count: 31)) == nil)
        #expect(try JSONDecoding.decode(Digest.self, from: try JSONEncoding.value(of: digest)) == digest)
        #expect(throws: Failure.self) { try JSONDecoding.decode(Digest.self, from: "00") }
    }
}
