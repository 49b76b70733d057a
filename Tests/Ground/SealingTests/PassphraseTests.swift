import Base
import Glibc
import Programs
import Testing

@testable import Sealing

@Suite("Keys under a passphrase")
struct PassphraseTests {
    @Test("a key that openssl put under a passphrase opens with it and with no other")
    func opens() throws {
        try withFolder { folder in
            let plain = folder.appending("plain.pem")
            let locked = folder.appending("locked.pem")
            let key = try SigningKey.generate()
            try key.save(to: plain)
            let arguments = ["pkey", "-in", "\(plain)", "-aes256", "-passout", "pass:open sesame", "-out", "\(locked)"]
            #expect(try Program("/usr/bin/openssl", arguments).run().status == 0)
            _ = locked.withCString { chmod($0, 0o600) }
            func load(_ path: BytePath, _ word: String) throws -> VerifyingKey {
                try SigningKey(loading: path) { () throws(Failure) in Secret(Array(word.utf8)) }.verifyingKey
            }
            #expect(try load(locked, "open sesame") == key.verifyingKey)
            #expect { try load(locked, "open sesam") } throws: { ($0 as? Failure)?.code == .refused }
            #expect { try load(locked, "") } throws: { ($0 as? Failure)?.code == .refused }
            #expect { try SigningKey(loading: locked) } throws: { ($0 as? Failure)?.code == .malformed }
            let asked = try SigningKey(loading: plain) { () throws(Failure) -> Secret in
                throw Failure(.cancelled, "ask", on: "nobody", because: "a plain key needs no passphrase")
            }
            #expect(asked.verifyingKey == key.verifyingKey)
        }
    }

    @Test("another key than Ed25519 under a passphrase is refused, and OpenSSH's own form leads to the agent")
    func others() throws {
        try withFolder { folder in
            let other = "\(folder)/other.pem"
            let made = try Program(
                "/usr/bin/openssl",
                ["genpkey", "-algorithm", "X25519", "-aes256", "-pass", "pass:a", "-out", other]
            ).run()
            #expect(made.status == 0, "\(made.errorText)")
            chmod(other, 0o600)
            #expect {
                try SigningKey(loading: BytePath(other)) { () throws(Failure) in Secret(Array("a".utf8)) }
            } throws: {
                ($0 as? Failure)?.code == .malformed
            }
            let ssh = "\(folder)/id_ed25519"
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", ssh]
            #expect(try Program("/usr/bin/ssh-keygen", arguments).run().status == 0)
            #expect { try SigningKey(loading: BytePath(ssh)) { () throws(Failure) in Secret([]) } } throws: {
                ($0 as? Failure)?.hint?.contains("--with agent") == true
            }
        }
    }
}
