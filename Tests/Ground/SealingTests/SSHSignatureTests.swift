import Base
import Testing

@testable import Sealing

@Suite("SSH signatures")
struct SSHSignatureTests {
    @Test("what OpenSSH signed verifies to its key, and is written again byte by byte", arguments: SSHVector.all)
    func golden(vector: SSHVector) throws {
        let signature = try SSHSignature(parsing: Array(vector.signature.utf8))
        let signer = try SSHPublicKey(line: vector.key)
        #expect(try signature.verify(SSHVectors.message, as: .approval) == signer)
        #expect(signature.text == vector.signature)
        #expect(throws: Failure.self) { try signature.verify(SSHVectors.message + [0x0A], as: .approval) }
        #expect(throws: Failure.self) { try signature.verify([], as: .approval) }
    }

    @Test("every flipped bit of a signature makes it unreadable or unverified", arguments: SSHVector.all)
    func mutations(vector: SSHVector) throws {
        let bytes = Array(vector.signature.utf8)
        _ = try SSHSignature(parsing: bytes).verify(SSHVectors.message, as: .approval)
        for index in bytes.indices {
            for bit in 0..<8 {
                var mutated = bytes
                mutated[index] ^= 1 << UInt8(bit)
                #expect(throws: Failure.self, "bit \(bit) of byte \(index)") {
                    try SSHSignature(parsing: mutated).verify(SSHVectors.message, as: .approval)
                }
            }
        }
    }

    @Test("a signature that is cut off or goes on is refused; only its last newline may be missing")
    func lengths() throws {
        let text = SSHVectors.ed25519
        let bytes = Array(text.utf8)
        #expect(try SSHSignature(parsing: bytes) == SSHSignature(parsing: Array(bytes.dropLast())))
        for count in 0..<bytes.count - 1 {
            #expect(throws: Failure.self) { try SSHSignature(parsing: Array(bytes[..<count])) }
        }
        for more in ["\n", " ", "-----BEGIN SSH SIGNATURE-----\n", text] {
            #expect(throws: Failure.self) { try SSHSignature(parsing: bytes + Array(more.utf8)) }
        }
        let blank = text.replacingFirst("\n", with: "\n\n")
        #expect(throws: Failure.self) { try SSHSignature(parsing: Array(blank.utf8)) }
        let endless = [UInt8](repeating: 0x41, count: SSHSignature.sizeLimit + 1)
        #expect(throws: Failure.self) { try SSHSignature(parsing: endless) }
    }

    @Test("every byte of the inner form is bound: lengths that reach too far are refused", arguments: SSHVector.all)
    func innerMutations(vector: SSHVector) throws {
        let lines = vector.signature.split(separator: "\n").dropFirst().dropLast()
        let blob = try #require(Base64.decode(lines.joined()))
        func verify(_ blob: [UInt8]) throws -> SSHPublicKey {
            let text = "-----BEGIN SSH SIGNATURE-----\n\(wrapped(blob))-----END SSH SIGNATURE-----\n"
            return try SSHSignature(parsing: Array(text.utf8)).verify(SSHVectors.message, as: .approval)
        }
        _ = try verify(blob)
        for index in blob.indices {
            for value in [0, 0x7F, 0x80, 0xFF, blob[index] &+ 1] where value != blob[index] {
                var mutated = blob
                mutated[index] = value
                #expect(throws: Failure.self, "byte \(index)") { try verify(mutated) }
            }
        }
    }

    private func wrapped(_ blob: [UInt8]) -> String {
        var rest = Base64.encode(blob)[...]
        var text = ""
        while !rest.isEmpty {
            text += rest.prefix(76) + "\n"
            rest = rest.dropFirst(76)
        }
        return text
    }

    @Test("RT32 an SSH signature of one type verifies as no other", arguments: PayloadType.allCases)
    func typed(type: PayloadType) throws {
        let key = try SigningKey.generate()
        let signature = try SSHSignature(parsing: Array(SSHSignature.sign([7], as: type, with: key).text.utf8))
        for other in PayloadType.allCases {
            if other == type {
                #expect(try signature.verify([7], as: other) == SSHPublicKey(key.verifyingKey))
            } else {
                #expect(throws: Failure.self) { try signature.verify([7], as: other) }
            }
        }
        let names = Set(PayloadType.allCases.map(\.sshNamespace))
        #expect(names.count == PayloadType.allCases.count)
    }

    @Test("RT32 an SSH signature is no envelope and no note, nor the other way round")
    func otherObjects() throws {
        let key = try SigningKey.generate()
        let ssh = try SSHSignature.sign([7], as: .seal, with: key).text
        #expect(throws: Failure.self) { try DSSE.Envelope(parsing: Array(ssh.utf8)) }
        #expect(throws: Failure.self) { try SignedNote(parsing: ssh) }
        let envelope = try DSSE.sign([7], as: .seal, with: key)
        #expect(throws: Failure.self) { try SSHSignature(parsing: envelope.bytes) }
        let checkpoint = try #require(Checkpoint(origin: "quell-case/a", size: 1, root: SHA256.digest(of: [])))
        let note = try checkpoint.sign(with: key)
        #expect(throws: Failure.self) { try SSHSignature(parsing: Array(note.text.utf8)) }
    }

    @Test("a token's signature counts only when its owner touched it")
    func token() throws {
        let key = try SigningKey.generate()
        for (deed, isGood) in [(UInt8(1), true), (5, true), (0, false), (4, false)] {
            let text = try TokenDouble(key: key).signature(over: [7], deed: deed)
            let signature = try SSHSignature(parsing: Array(text.utf8))
            if isGood {
                #expect(try signature.verify([7], as: .approval).kind == .token)
            } else {
                #expect(throws: Failure.self) { try signature.verify([7], as: .approval) }
            }
        }
    }

    @Test("a key's line is read with comment or principals, and has the fingerprint of ssh-keygen")
    func lines() throws {
        let key = try SSHPublicKey(line: SSHVectors.ed25519Key)
        #expect(key.fingerprint == SSHVectors.fingerprint)
        #expect("\(key.line) ada@desk" == SSHVectors.ed25519Key)
        #expect(try SSHPublicKey(line: "ada@example.org \(SSHVectors.ed25519Key)") == key)
        #expect(try SSHPublicKey(line: key.line) == key)
        #expect(key.kind == .ed25519)
    }

    @Test("a line that is no key, has options, or names another type is refused")
    func hostileLines() throws {
        let line = try SSHPublicKey(line: SSHVectors.ed25519Key).line
        let blob = try #require(Base64.decode(String(line.dropFirst("ssh-ed25519 ".count))))
        let more = "ssh-ed25519 \(Base64.encode(blob + [0]))"
        for text in [
            "", " ", "ssh-ed25519", "ssh-ed25519 AAAA", "cert-authority,namespaces=\"file\" \(line)x",
            "a b \(line)", line.replacingFirst("ssh-ed25519", with: "ssh-rsa"),
            line.replacingFirst("ssh-ed25519", with: "ssh-dss"), "\(line)\n\(line)", "\(line)A", more,
            String(repeating: "A", count: 20_000),
        ] {
            #expect(throws: Failure.self, "\(text)") { try SSHPublicKey(line: text) }
        }
    }

    @Test("weak and broken keys are refused: short RSA, an even exponent, a point in another form")
    func weakKeys() throws {
        let short = [UInt8(0)] + [UInt8](repeating: 0xFF, count: 128)
        let long = [UInt8(0)] + [UInt8](repeating: 0xFF, count: 256)
        func rsa(_ exponent: [UInt8], _ modulus: [UInt8]) -> [UInt8] {
            SSHWire.string("ssh-rsa") + SSHWire.string(exponent) + SSHWire.string(modulus)
        }
        #expect(try SSHPublicKey(blob: rsa([1, 0, 1], long)).kind == .rsa)
        for blob in [
            rsa([1, 0, 1], short), rsa([2], long), rsa([1], long), rsa([0, 3], long), rsa([0x83], long),
            rsa([1, 0, 1], [0] + long), rsa([1, 0, 1], []), SSHWire.string("ssh-ed25519") + SSHWire.string([1, 2]),
            SSHWire.string("ecdsa-sha2-nistp256") + SSHWire.string("nistp256")
                + SSHWire.string([2] + [UInt8](repeating: 7, count: 32)),
            SSHWire.string("ecdsa-sha2-nistp256") + SSHWire.string("nistp384")
                + SSHWire.string([4] + [UInt8](repeating: 7, count: 64)),
        ] {
            #expect(throws: Failure.self) { try SSHPublicKey(blob: blob) }
        }
    }

    @Test("a point that is not on the curve verifies nothing")
    func foreignPoint() throws {
        let blob =
            SSHWire.string("ecdsa-sha2-nistp256") + SSHWire.string("nistp256")
            + SSHWire.string([4] + [UInt8](repeating: 7, count: 64))
        let body = SSHWire.string([1]) + SSHWire.string([1])
        let signature = SSHWire.string("ecdsa-sha2-nistp256") + SSHWire.string(body)
        #expect(try !SSHPublicKey(blob: blob).verifies(signature, over: [7]))
    }
}

/// What a security key and OpenSSH make together (PROTOCOL.u2f), from an ordinary key.
struct TokenDouble {
    let key: SigningKey

    var blob: [UInt8] {
        SSHWire.string(SSHPublicKey.Kind.token.rawValue) + SSHWire.string(key.verifyingKey.bytes)
            + SSHWire.string("ssh:")
    }

    func signature(over message: [UInt8], deed: UInt8) throws -> String {
        let name = PayloadType.approval.sshNamespace
        let signed =
            Array("SSHSIG".utf8) + SSHWire.string(name) + SSHWire.string("") + SSHWire.string("sha512")
            + SSHWire.string(SHA512.digest(of: message))
        let counter: [UInt8] = [0, 0, 0, 9]
        let inner =
            SHA256.digest(of: Array("ssh:".utf8)).bytes + [deed] + counter + SHA256.digest(of: signed).bytes
        let made = SSHWire.string(try key.sign(inner)) + [deed] + counter
        let whole =
            Array("SSHSIG".utf8) + SSHWire.uint32(1) + SSHWire.string(blob) + SSHWire.string(name)
            + SSHWire.string("") + SSHWire.string("sha512")
            + SSHWire.string(SSHWire.string(SSHPublicKey.Kind.token.rawValue) + made)
        var rest = Base64.encode(whole)[...]
        var text = "-----BEGIN SSH SIGNATURE-----\n"
        while !rest.isEmpty {
            text += rest.prefix(70) + "\n"
            rest = rest.dropFirst(70)
        }
        return text + "-----END SSH SIGNATURE-----\n"
    }
}
