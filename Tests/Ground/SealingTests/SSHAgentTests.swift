import Base
import Glibc
import Programs
import Testing

@testable import Sealing

/// A real ssh-agent, whose keys never lie in a file that Quell reads.
@Suite("The ssh-agent", .enabled(if: access("/usr/bin/ssh-agent", X_OK) == 0))
struct SSHAgentTests {
    @Test(
        "what an agent's key signs as SSHSIG verifies here and to ssh-keygen",
        arguments: [["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"], ["-t", "rsa", "-b", "2048"]]
    )
    func signs(type: [String]) throws {
        try withAgent(keys: [type]) { agent, folder in
            let identity = try #require(try agent.identities().first)
            #expect(identity.comment == "key 0")
            let message = Array("what was seen\n".utf8)
            let signature = try SSHSignature.sign(message, as: .countersignature, with: .agent(agent, identity.key))
            #expect(try signature.verify(message, as: .countersignature) == identity.key)
            #expect(throws: Failure.self) { try signature.verify(message, as: .seal) }
            Files.write(signature.text, to: "\(folder)/sig")
            Files.write(message, to: "\(folder)/message")
            Files.write("ada \(identity.key.line)\n", to: "\(folder)/allowed")
            let command =
                #"exec ssh-keygen -Y verify -f "$0/allowed" -I ada -n quell-countersignature -s "$0/sig" <"$0/message""#
            let checked = try Program("/bin/bash", ["-c", command, "\(folder)"]).run()
            #expect(checked.status == 0, "\(checked.errorText)")
        }
    }

    @Test("an agent's Ed25519 key seals as a key in a file does, and keys of other types do not seal")
    func seals() throws {
        try withAgent(keys: [["-t", "rsa", "-b", "2048"], ["-t", "ed25519"]]) { agent, _ in
            let identities = try agent.identities()
            #expect(identities.map(\.key.kind) == [.rsa, .ed25519])
            let key = try #require(identities[1].key.verifyingKey)
            let envelope = try DSSE.sign([1], as: .seal, with: Signer.agent(agent, identities[1].key))
            #expect(try DSSE.Envelope(parsing: envelope.bytes).verify(as: .seal, with: key) == [1])
            #expect(envelope.signatures.map(\.keyID) == [key.fingerprint])
            #expect { try DSSE.sign([1], as: .seal, with: Signer.agent(agent, identities[0].key)) } throws: {
                ($0 as? Failure)?.code == .refused
            }
        }
    }

    @Test("an agent that is locked, has no such key or is not there says no and hangs nobody")
    func refuses() throws {
        try withAgent(keys: [["-t", "ed25519"]]) { agent, folder in
            let stranger = try SigningKey.generate()
            #expect {
                try SSHSignature.sign([1], as: .seal, with: .agent(agent, SSHPublicKey(stranger.verifyingKey)))
            } throws: {
                ($0 as? Failure)?.code == .refused
            }
            let nobody = SSHAgent(socket: folder.appending("nobody"))
            #expect { try nobody.identities() } throws: { ($0 as? Failure)?.errno == ENOENT }
        }
    }

    @Test("every answer of an agent that was cut or has a byte changed is read to an end or refused")
    func answers() throws {
        let key = SSHPublicKey(try SigningKey.generate().verifyingKey)
        let listed = [12] + SSHWire.uint32(1) + SSHWire.string(key.blob) + SSHWire.string("ada")
        #expect(try SSHAgentAnswer.identities(listed) == [SSHAgent.Identity(key: key, comment: "ada")])
        let odd = [12] + SSHWire.uint32(1) + SSHWire.string("ssh-odd") + SSHWire.string("")
        #expect(try SSHAgentAnswer.identities(odd) == [])
        for count in 0..<listed.count {
            #expect(throws: Failure.self) { try SSHAgentAnswer.identities(Array(listed[..<count])) }
        }
        #expect(throws: Failure.self) { try SSHAgentAnswer.identities(listed + [0]) }
        #expect(throws: Failure.self) { try SSHAgentAnswer.identities([12, 0xFF, 0xFF, 0xFF, 0xFF]) }
        #expect { try SSHAgentAnswer.signature([5]) } throws: { ($0 as? Failure)?.code == .refused }
        for index in listed.indices {
            var mutated = listed
            mutated[index] ^= 0x80
            do throws(Failure) {
                _ = try SSHAgentAnswer.identities(mutated)
            } catch {
                #expect(error.code == .malformed)
            }
        }
    }

    /// An agent with keys of these types.
    private func withAgent(keys: [[String]], _ body: (SSHAgent, BytePath) throws -> Void) throws {
        try withFolder { folder in
            let socket = "\(folder)/agent"
            let child = try Program("/usr/bin/ssh-agent", ["-D", "-a", socket]).start()
            defer { child.signal(SIGKILL) }
            _ = try child.line { $0.contains("SSH_AUTH_SOCK") }
            for (number, type) in keys.enumerated() {
                let file = "\(folder)/key-\(number)"
                let arguments = type + ["-q", "-N", "", "-C", "key \(number)", "-f", file]
                #expect(try Program("/usr/bin/ssh-keygen", arguments).run().status == 0)
                let added = try Program("/usr/bin/ssh-add", ["-q", file], environment: ["SSH_AUTH_SOCK": socket]).run()
                #expect(added.status == 0, "\(added.errorText)")
                unlink(file)
            }
            try body(SSHAgent(socket: BytePath(socket)), folder)
        }
    }
}
