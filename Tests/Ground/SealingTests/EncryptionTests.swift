import Base
import Glibc
import Programs
import Sealing
import Testing

/// Certificates, keys and volumes in a folder that goes with it.
private final class Safe {
    let folder: String

    init() throws { folder = try #require(Files.makeTemporaryFolder("/tmp/quell-cms-XXXXXX")) }
    deinit { Files.removeTree(folder) }

    @discardableResult
    func openssl(_ arguments: String...) throws -> Program.Result {
        try Program("/usr/bin/openssl", arguments, directory: folder).run(within: .seconds(60))
    }

    /// Makes NAME.pem and NAME.key as an organisation would.
    func recipient(_ name: String, _ kind: [String] = ["-newkey", "rsa:2048"]) throws -> Recipient {
        let made = try Program(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out",
                "\(name).pem",
            ]
                + kind,
            directory: folder
        ).run(within: .seconds(60))
        try #require(made.status == 0, "\(made.errorText)")
        return try Recipient(pem: try #require(Files.read("\(folder)/\(name).pem")), called: name)
    }

    func opener(_ name: String) throws -> Opener {
        let recipient = try Recipient(pem: try #require(Files.read("\(folder)/\(name).pem")), called: name)
        return try Opener(recipient, keyFile: BytePath("\(folder)/\(name).key"))
    }
}

private let ellipticCurve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]

private func encrypt(_ content: [UInt8], for audience: Audience, pieces: Int = 70_001) throws -> [UInt8] {
    var volume: [UInt8] = []
    let encryption = try Encryption(for: audience) { volume += $0 }
    var rest = content[...]
    while !rest.isEmpty {
        let piece = rest.prefix(pieces)
        try piece.withUnsafeBytes { try encryption.append($0) }
        rest = rest.dropFirst(piece.count)
    }
    try encryption.finish()
    return volume
}

private func open(_ volume: [UInt8], with opener: Opener) throws -> [UInt8] {
    var content: [UInt8] = []
    var calls = 0
    try volume.withUnsafeBytes { bytes in
        try Decryption.open(bytes, called: "000.cms", with: opener) { plain in
            content += plain
            calls += 1
        }
    }
    #expect(calls == 1)
    return content
}

private let content: [UInt8] = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }

@Suite("Volumes for recipients", .enabled(if: access("/usr/bin/openssl", X_OK) == 0))
struct EncryptionTests {
    @Test("stock openssl opens a volume with an RSA key and with an EC key, and so does Quell")
    func stockOpens() throws {
        let safe = try Safe()
        let both = [try safe.recipient("rsa"), try safe.recipient("ec", ellipticCurve)]
        let volume = try encrypt(content, for: .recipients(both))
        #expect(Files.write(volume, to: "\(safe.folder)/v.cms") == 0)
        for name in ["rsa", "ec"] {
            let opened = try safe.openssl(
                "cms",
                "-decrypt",
                "-inform",
                "DER",
                "-in",
                "v.cms",
                "-recip",
                "\(name).pem",
                "-inkey",
                "\(name).key",
                "-out",
                "\(name).plain"
            )
            #expect(opened.status == 0, "\(opened.errorText)")
            #expect(Files.read("\(safe.folder)/\(name).plain") == content)
            #expect(try open(volume, with: safe.opener(name)) == content)
        }
        let told = try safe.openssl("cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "v.cms").text
        #expect(told.contains("id-smime-ct-authEnvelopedData"))
        #expect(told.contains("aes-256-gcm"))
        #expect(told.contains("rsaesOaep"))
    }

    @Test("a volume that openssl made opens in Quell; an empty one is not made")
    func openedFromStock() throws {
        let safe = try Safe()
        let recipient = try safe.recipient("rsa")
        #expect(Files.write(content, to: "\(safe.folder)/plain") == 0)
        let made = try safe.openssl(
            "cms",
            "-encrypt",
            "-binary",
            "-stream",
            "-outform",
            "DER",
            "-aes-256-gcm",
            "-in",
            "plain",
            "-out",
            "v.cms",
            "-recip",
            "rsa.pem"
        )
        #expect(made.status == 0, "\(made.errorText)")
        #expect(try open(try #require(Files.read("\(safe.folder)/v.cms")), with: safe.opener("rsa")) == content)
        #expect { try encrypt([], for: .recipients([recipient])) } throws: { ($0 as? Failure)?.reason == "it is empty" }
    }

    @Test("a flipped byte, a cut volume, bytes behind it and another recipient each give a sentence and no plain byte")
    func altered() throws {
        let safe = try Safe()
        let volume = try encrypt(content, for: .recipients([try safe.recipient("rsa", ellipticCurve)]))
        _ = try safe.recipient("other", ellipticCurve)
        let mine = try safe.opener("rsa")
        func reason(_ volume: [UInt8], _ opener: Opener) -> String? {
            var seen = 0
            do {
                try volume.withUnsafeBytes { bytes in
                    try Decryption.open(bytes, called: "000.cms", with: opener) { seen += $0.count }
                }
                return nil
            } catch {
                #expect(seen == 0)
                let failure = error as? Failure
                #expect(failure?.code == .notVerified)
                return failure?.reason
            }
        }
        for place in [0, 40, 400, volume.count / 2, volume.count - 30, volume.count - 5] {
            var flipped = volume
            flipped[place] ^= 1
            #expect(reason(flipped, mine) != nil, "byte \(place)")
        }
        var inContent = volume
        inContent[volume.count / 2] ^= 0x40
        #expect(reason(inContent, mine) == "it was altered: its content is not authentic")
        #expect(reason(Array(volume.dropLast(9)), mine) == "not a whole CMS structure: it was cut or altered")
        #expect(reason(Array(volume.prefix(5000)), mine) == "not a whole CMS structure: it was cut or altered")
        #expect(reason(volume + [0], mine) == "1 bytes stand behind it")
        #expect(reason([], mine) != nil)
        #expect(reason(volume, try safe.opener("other"))?.hasPrefix("it is not for the recipient") == true)
        #expect(reason(volume, Opener(passphrase: Secret(Array("x".utf8)))) == "it was not encrypted with a passphrase")
        #expect(reason(volume, mine) == nil)
    }

    @Test("a passphrase opens with stock openssl and with Quell, another one does not")
    func passphrase() throws {
        let safe = try Safe()
        let volume = try encrypt(content, for: .passphrase(Secret(Array("correct horse".utf8))))
        #expect(Files.write(volume, to: "\(safe.folder)/v.cms") == 0)
        let opened = try safe.openssl(
            "cms",
            "-decrypt",
            "-inform",
            "DER",
            "-in",
            "v.cms",
            "-pwri_password",
            "correct horse",
            "-out",
            "plain"
        )
        #expect(opened.status == 0, "\(opened.errorText)")
        #expect(Files.read("\(safe.folder)/plain") == content)
        #expect(try open(volume, with: Opener(passphrase: Secret(Array("correct horse".utf8)))) == content)
        #expect { try open(volume, with: Opener(passphrase: Secret(Array("wrong".utf8)))) } throws: {
            ($0 as? Failure)?.reason == "the passphrase does not open it, or it was altered"
        }
    }

    @Test("a certificate that nothing can be encrypted to is refused, and a key that is not its own")
    func unfit() throws {
        let safe = try Safe()
        #expect { try safe.recipient("signer", ["-newkey", "ed25519"]) } throws: {
            ($0 as? Failure)?.reason.contains("neither RSA nor EC") == true
        }
        #expect { try safe.recipient("short", ["-newkey", "rsa:1024"]) } throws: {
            ($0 as? Failure)?.reason.contains("too short") == true
        }
        let one = try safe.recipient("one", ellipticCurve)
        let two = try safe.recipient("two", ellipticCurve)
        #expect(one != two)
        let pem = try #require(Files.read("\(safe.folder)/one.pem"))
        #expect { try Recipient(pem: pem + pem, called: "x") } throws: {
            ($0 as? Failure)?.reason.contains("more than one") == true
        }
        #expect(throws: Failure.self) { try Recipient(pem: [], called: "x") }
        #expect { try Opener(one, keyFile: BytePath("\(safe.folder)/two.key")) } throws: {
            ($0 as? Failure)?.reason.contains("does not belong") == true
        }
        #expect(chmod("\(safe.folder)/one.key", 0o644) == 0)
        #expect { try Opener(one, keyFile: BytePath("\(safe.folder)/one.key")) } throws: {
            ($0 as? Failure)?.reason == "others can open it"
        }
        #expect(throws: Failure.self) { try Encryption(for: .recipients([])) { _ in } }
        let told = try safe.openssl("x509", "-noout", "-fingerprint", "-sha256", "-in", "one.pem").text
        let digits = told.split(separator: "=").last?.lowercased().filter(\.isHexDigit)
        #expect(digits == one.fingerprint.hex)
    }

    @Test("encrypting 256 MiB takes no more memory than one MiB")
    func constantMemory() throws {
        let safe = try Safe()
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        var written = 0
        let encryption = try Encryption(for: .recipients([try safe.recipient("rsa", ellipticCurve)])) {
            written += $0.count
        }
        try piece.withUnsafeBytes { try encryption.append($0) }
        let before = try #require(residentPages())
        for _ in 0..<256 { try piece.withUnsafeBytes { try encryption.append($0) } }
        let after = try #require(residentPages())
        try encryption.finish()
        #expect(written > 257 << 20)
        #expect(after - before < 4096, "\(after - before) pages more")
    }

    private func residentPages() -> Int? {
        let words = Files.text("/proc/self/statm")?.split(separator: " ")
        return words.flatMap { $0.count > 1 ? Int($0[1]) : nil }
    }
}
