import Base
import Sealing
import Testing

@Suite("Hasher")
struct HasherTests {
    @Test(
        "SHA-256 gives the digests of FIPS 180-4",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
    )
    func standardVectors(message: String, digest: String) {
        #expect(SHA256.digest(of: Array(message.utf8)).hex == digest)
    }

    @Test("pieces give the digest of the whole, and a hasher starts anew after finish")
    func pieces() {
        var hasher = Hasher()
        for _ in 0..<2 {
            hasher.update(Array("a".utf8))
            hasher.update([])
            Array("bc".utf8).withUnsafeBytes { hasher.update($0) }
            #expect(hasher.finish() == SHA256.digest(of: Array("abc".utf8)))
        }
    }
}
