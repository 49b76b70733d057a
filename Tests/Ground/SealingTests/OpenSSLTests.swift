import Base
import Glibc
import Testing

@testable import Sealing

/// What we write must be readable with the stock command, because VERIFY.txt tells people to use it.
@Suite("The openssl command", .enabled(if: access("/usr/bin/openssl", X_OK) == 0))
struct OpenSSLTests {
    @Test("openssl verifies a DSSE signature over the encoding, and not over one flipped byte")
    func verifies() throws {
        try withFolder { folder in
            let key = try SigningKey.generate()
            let envelope = try DSSE.sign(Array("{}".utf8), as: .seal, with: key)
            var message = DSSE.preAuthenticationEncoding(envelope.payloadType, envelope.unverifiedPayload)
            try key.verifyingKey.save(to: folder.appending("pub.pem"))
            try write(envelope.signatures[0].bytes, folder.appending("sig"))
            try write(message, folder.appending("message"))
            #expect(try run(verification(folder)) == 0)
            message[9] ^= 1
            try write(message, folder.appending("message"))
            #expect(try run(verification(folder)) != 0)
        }
    }

    @Test("keys of openssl genpkey load, and its DER digest of ours is the fingerprint")
    func keys() throws {
        try withFolder { folder in
            let path = folder.appending("made.pem")
            #expect(try run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "\(path)"]) == 0)
            _ = path.withCString { chmod($0, 0o600) }
            let key = try SigningKey(loading: path).verifyingKey
            try key.save(to: folder.appending("pub.pem"))
            let der = folder.appending("pub.der")
            let command = [
                "openssl", "pkey", "-pubin", "-in", "\(folder)/pub.pem", "-outform", "DER", "-out", "\(der)",
            ]
            #expect(try run(command) == 0)
            #expect(try SHA256.digest(of: read(der)) == key.fingerprint)
        }
    }

    private func verification(_ folder: BytePath) -> [String] {
        [
            "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "\(folder)/pub.pem", "-rawin", "-in",
            "\(folder)/message", "-sigfile", "\(folder)/sig",
        ]
    }

    private func write(_ bytes: [UInt8], _ path: BytePath) throws {
        let file = path.withCString { open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o600) }
        try #require(file >= 0)
        defer { close(file) }
        try #require(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    private func read(_ path: BytePath) throws -> [UInt8] {
        let file = path.withCString { open($0, O_RDONLY) }
        try #require(file >= 0)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(file, &bytes, bytes.count)
        try #require(count >= 0)
        return Array(bytes[..<count])
    }

    /// Runs /usr/bin/openssl with its output thrown away; the exit status, or -1 when it was killed.
    private func run(_ arguments: [String]) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in [Int32(1), 2] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
        var list: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for argument in list { free(argument) } }
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var child = pid_t()
        try #require(posix_spawn(&child, "/usr/bin/openssl", &actions, nil, &list, &environment) == 0)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
    }
}
