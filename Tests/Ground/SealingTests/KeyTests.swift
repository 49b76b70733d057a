import Base
import Glibc
import Testing

@testable import Sealing

@Suite("Keys")
struct KeyTests {
    @Test("an Ed25519 signature is the one of RFC 8032, section 7.1, test 3")
    func standardVector() throws {
        let seed = try #require(Hex.decode("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"))
        let key = try SigningKey(seed: seed)
        #expect(
            Hex.encode(key.verifyingKey.bytes) == "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
        )
        let signature = try key.sign([0xAF, 0x82])
        #expect(
            Hex.encode(signature) == "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        )
        #expect(key.verifyingKey.verify(signature, over: [0xAF, 0x82]))
        #expect(!key.verifyingKey.verify(signature, over: [0xAF, 0x83]))
        #expect(!key.verifyingKey.verify(Array(signature.dropLast()), over: [0xAF, 0x82]))
    }

    @Test("a saved key is mode 0600, loads again, and is never overwritten")
    func saveAndLoad() throws {
        try withFolder { folder in
            let path = folder.appending("signing.pem")
            let key = try SigningKey.generate()
            try key.save(to: path)
            #expect(mode(path) == 0o600)
            #expect(try SigningKey(loading: path).verifyingKey == key.verifyingKey)
            let failure = #expect(throws: Failure.self) { try key.save(to: path) }
            #expect(failure?.errno == EEXIST)
        }
    }

    @Test("a key file that others can open is refused with the chmod to run", arguments: [0o640, 0o604, 0o620])
    func openPermissions(mode: Int) throws {
        try withFolder { folder in
            let path = folder.appending("signing.pem")
            try SigningKey.generate().save(to: path)
            _ = path.withCString { chmod($0, mode_t(mode)) }
            let failure = #expect(throws: Failure.self) { try SigningKey(loading: path) }
            #expect(failure?.code == .refused)
            #expect(failure?.hint == "chmod 600 \(path)")
            #expect(failure?.reason.contains("mode 0\(String(mode, radix: 8))") == true)
        }
    }

    @Test("a symbolic link, a folder, an empty file and another key are refused as keys")
    func wrongFiles() throws {
        try withFolder { folder in
            let key = folder.appending("signing.pem")
            try SigningKey.generate().save(to: key)
            let link = folder.appending("link")
            _ = key.withCString { target in link.withCString { symlink(target, $0) } }
            #expect(throws: Failure.self) { try SigningKey(loading: link) }
            #expect(throws: Failure.self) { try SigningKey(loading: folder) }
            let missing = #expect(throws: Failure.self) { try SigningKey(loading: folder.appending("none")) }
            #expect(missing?.code == .notFound)
            let publicKey = folder.appending("public.pem")
            try SigningKey.generate().verifyingKey.save(to: publicKey)
            _ = publicKey.withCString { chmod($0, 0o600) }
            let wrong = #expect(throws: Failure.self) { try SigningKey(loading: publicKey) }
            #expect(wrong?.code == .malformed)
        }
    }

    @Test("a public key survives its PEM text, and no other text is read")
    func publicText() throws {
        let key = try SigningKey.generate().verifyingKey
        #expect(VerifyingKey(pem: key.pem) == key)
        #expect(VerifyingKey(pem: key.pem + "\n") == nil)
        #expect(VerifyingKey(pem: key.pem.replacingFirst("PUBLIC", with: "PRIVATE")) == nil)
        #expect(VerifyingKey(pem: "") == nil)
        #expect(VerifyingKey(bytes: [1, 2, 3]) == nil)
    }
}

extension String {
    func replacingFirst(_ word: String, with other: String) -> String {
        guard let range = firstRange(of: word) else { return self }
        return replacingCharacters(in: range, with: other)
    }

    private func firstRange(of word: String) -> Range<Index>? {
        indices.lazy.map { self[$0...] }.first { $0.hasPrefix(word) }.map {
            $0.startIndex..<index($0.startIndex, offsetBy: word.count)
        }
    }

    private func replacingCharacters(in range: Range<Index>, with other: String) -> String {
        String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
    }
}

/// A folder that is gone afterwards.
func withFolder(_ body: (BytePath) throws -> Void) throws {
    var template = Array("/tmp/quell-sealing-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = BytePath(template.map { UInt8(bitPattern: $0) })
    defer { remove(folder) }
    try body(folder)
}

/// Removes a folder with the plain files in it.
private func remove(_ folder: BytePath) {
    guard let stream = folder.withCString({ opendir($0) }) else { return }
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { BytePath($0) }
        _ = folder.appending(name).withCString { unlink($0) }
    }
    closedir(stream)
    _ = folder.withCString { rmdir($0) }
}

func mode(_ path: BytePath) -> mode_t? {
    var status = stat()
    guard path.withCString({ lstat($0, &status) }) == 0 else { return nil }
    return status.st_mode & 0o7777
}
