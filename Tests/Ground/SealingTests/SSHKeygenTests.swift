import Base
import Glibc
import Programs
import Testing

@testable import Sealing

/// Both directions with the real program.
@Suite("The ssh-keygen command", .enabled(if: access("/usr/bin/ssh-keygen", X_OK) == 0))
struct SSHKeygenTests {
    @Test("ssh-keygen verifies what our key signed, and not over other bytes or in another namespace")
    func ours() throws {
        try withFolder { folder in
            let key = try SigningKey.generate()
            let message = Array("what was asked\n".utf8)
            Files.write(try SSHSignature.sign(message, as: .approval, with: key).text, to: "\(folder)/sig")
            Files.write("ada \(SSHPublicKey(key.verifyingKey).line)\n", to: "\(folder)/allowed")
            #expect(try verifies(message, "quell-approval", folder))
            #expect(try !verifies(message + [0x0A], "quell-approval", folder))
            #expect(try !verifies(message, "quell-seal", folder))
        }
    }

    @Test("a token's signature is the same to ssh-keygen and to us")
    func token() throws {
        try withFolder { folder in
            let token = TokenDouble(key: try SigningKey.generate())
            let text = try token.signature(over: [7], deed: 1)
            Files.write(text, to: "\(folder)/sig")
            let key = try SSHPublicKey(blob: token.blob)
            Files.write("ada \(key.line)\n", to: "\(folder)/allowed")
            #expect(try verifies([7], "quell-approval", folder))
            #expect(try SSHSignature(parsing: Array(text.utf8)).verify([7], as: .approval) == key)
        }
    }

    @Test(
        "what ssh-keygen signs verifies here, with each type of key and both hashes",
        arguments: [["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"], ["-t", "rsa", "-b", "2048"]],
        ["sha256", "sha512"]
    )
    func theirs(type: [String], hash: String) throws {
        try withFolder { folder in
            let message = Array("what was asked\n".utf8)
            Files.write(message, to: "\(folder)/message")
            try run(type + ["-q", "-N", "", "-C", "ada@desk", "-f", "\(folder)/key"])
            try run([
                "-q", "-Y", "sign", "-O", "hashalg=\(hash)", "-n", "quell-approval", "-f", "\(folder)/key",
                "\(folder)/message",
            ])
            let signature = try SSHSignature(parsing: try #require(Files.read("\(folder)/message.sig")))
            let line = try #require(Files.text("\(folder)/key.pub")).split(separator: "\n")[0]
            let key = try SSHPublicKey(line: String(line))
            #expect(try signature.verify(message, as: .approval) == key)
            #expect(throws: Failure.self) { try signature.verify(message, as: .custody) }
            let listed = try Program("/usr/bin/ssh-keygen", ["-l", "-f", "\(folder)/key.pub"]).run()
            #expect(listed.text.split(separator: " ").dropFirst().first.map(String.init) == key.fingerprint)
        }
    }

    private func run(_ arguments: [String]) throws {
        let result = try Program("/usr/bin/ssh-keygen", arguments).run()
        #expect(result.status == 0, "\(result.errorText)")
    }

    private func verifies(_ message: [UInt8], _ namespace: String, _ folder: BytePath) throws -> Bool {
        Files.write(message, to: "\(folder)/message")
        let command = #"exec ssh-keygen -Y verify -f "$0/allowed" -I ada -n "$1" -s "$0/sig" <"$0/message""#
        return try Program("/bin/bash", ["-c", command, "\(folder)", namespace]).run().status == 0
    }
}
