import Base
import Testing

@testable import Sealing

@Suite("Signed objects")
struct SignedObjectTests {
    @Test("the pre-authentication encoding is the one of the DSSE specification")
    func encoding() {
        let encoded = DSSE.preAuthenticationEncoding("http://example.com/HelloWorld", Array("hello world".utf8))
        #expect(encoded == Array("DSSEv1 29 http://example.com/HelloWorld 11 hello world".utf8))
    }

    @Test("an envelope survives its text and verifies to its payload")
    func roundTrip() throws {
        let key = try SigningKey.generate()
        let payload = Array("{\"a\":1}".utf8)
        let envelope = try DSSE.sign(payload, as: .seal, with: key)
        let read = try DSSE.Envelope(parsing: envelope.bytes)
        #expect(read == envelope)
        #expect(try read.verify(as: .seal, with: key.verifyingKey) == payload)
        #expect(read.signatures.map(\.keyID) == [key.verifyingKey.fingerprint])
    }

    @Test("every flipped bit of an envelope makes it unreadable or unverified")
    func mutations() throws {
        let key = try SigningKey.generate()
        let bytes = try DSSE.sign(Array("{}".utf8), as: .custody, with: key).bytes
        let keyName = Array(key.verifyingKey.fingerprint.hex.utf8)
        for index in bytes.indices where !isWithin(keyName, at: index, of: bytes) {
            for bit in 0..<8 {
                var mutated = bytes
                mutated[index] ^= 1 << UInt8(bit)
                #expect(throws: Failure.self, "bit \(bit) of byte \(index)") {
                    try DSSE.Envelope(parsing: mutated).verify(as: .custody, with: key.verifyingKey)
                }
            }
        }
    }

    /// The key's name is a hint: another name there changes nothing that was signed.
    private func isWithin(_ part: [UInt8], at index: Int, of whole: [UInt8]) -> Bool {
        whole.indices.contains { start in
            whole[start...].starts(with: part) && (start..<start + part.count).contains(index)
        }
    }

    @Test("another spacing, a second key of one name, and text behind the envelope are refused")
    func strictness() throws {
        let text = String(decoding: try DSSE.sign([1], as: .seal, with: .generate()).bytes, as: UTF8.self)
        for other in [text + "\n", " " + text, "{\"a\":1," + text.dropFirst(), "{\"payload\":\"\"," + text.dropFirst()]
        {
            #expect(throws: Failure.self) { try DSSE.Envelope(parsing: Array(other.utf8)) }
        }
    }

    @Test("RT32 an object signed as one type verifies as no other", arguments: PayloadType.allCases)
    func typedSignatures(type: PayloadType) throws {
        let key = try SigningKey.generate()
        let envelope = try DSSE.sign([7], as: type, with: key)
        for other in PayloadType.allCases {
            if other == type {
                #expect(try envelope.verify(as: other, with: key.verifyingKey) == [7])
            } else {
                #expect(throws: Failure.self) { try envelope.verify(as: other, with: key.verifyingKey) }
                let renamed = DSSE.Envelope(
                    payloadType: other.rawValue,
                    unverifiedPayload: envelope.unverifiedPayload,
                    signatures: envelope.signatures
                )
                #expect(throws: Failure.self) { try renamed.verify(as: other, with: key.verifyingKey) }
            }
        }
    }

    @Test("RT32 a checkpoint cannot pose as an envelope, nor its text begin like one")
    func checkpointIsNoEnvelope() {
        #expect(Checkpoint(origin: "DSSEv1", size: 1, root: SHA256.digest(of: [])) == nil)
        #expect(Checkpoint(origin: "two words", size: 1, root: SHA256.digest(of: [])) == nil)
        #expect(Checkpoint(origin: "line\nbreak", size: 1, root: SHA256.digest(of: [])) == nil)
    }

    @Test("a checkpoint is a C2SP note that verifies with its key alone")
    func checkpoint() throws {
        let key = try SigningKey.generate()
        let root = SHA256.digest(of: [1])
        let checkpoint = try #require(Checkpoint(origin: "quell-case/amber-7f3a", size: 12, root: root))
        let note = try checkpoint.sign(with: key)
        #expect(note.text.hasPrefix("quell-case/amber-7f3a\n12\n\(Base64.encode(root.bytes))\n\n\u{2014} quell-case/"))
        #expect(try SignedNote(parsing: note.text).verify(with: key.verifyingKey) == checkpoint)
        #expect(throws: Failure.self) { try note.verify(with: .init(SigningKey.generate())) }
        for other in [
            note.text.replacingFirst("\n12\n", with: "\n13\n"), note.text.replacingFirst("amber", with: "umber"),
            note.text + "\n", note.text.replacingFirst("\n12\n", with: "\n012\n"),
        ] {
            #expect(throws: Failure.self) { try SignedNote(parsing: other).verify(with: key.verifyingKey) }
        }
    }
}

extension VerifyingKey {
    init(_ key: SigningKey) { self = key.verifyingKey }
}
