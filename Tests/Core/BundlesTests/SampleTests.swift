import Base
import Bundles
import Glibc
import Sealing
import Testing

/// The sealed sample that lies in the repository: made once, by a key that was thrown away, so that a change of this room
/// that stops reading what was sealed before is seen.
@Suite("The sealed sample in Evidence")
struct SampleTests {
    static let fixtures = BytePath(#filePath).parent.appending("Fixtures")
    static let sample = BytePath(#filePath).parent.parent.parent.parent.appending("Evidence/sample.quell.tar")

    /// Makes the sample anew, with a new key.
    private func record() throws {
        let bench = try Workbench()
        let key = try SigningKey.generate()
        var statement = Samples.statement(purpose: .exercise)
        statement.name = "sample"
        try Samples.write(to: bench("b"), key: key, statement: statement, volumeSize: 64 << 20)
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(.init(trusting: [key.verifyingKey]))
        _ = Self.sample.withCString { unlink($0) }
        try BundlePacker.pack(bundle, to: Self.sample)
        try Disk.write(Array(key.verifyingKey.pem.utf8), to: Self.fixtures.appending("sample.pub.pem"))
    }

    @Test("the sample verifies with its published key and fingerprint")
    func verifies() throws {
        if getenv("QUELL_RECORD_SAMPLE") != nil { try record() }
        let key = try VerifyingKey(loading: Self.fixtures.appending("sample.pub.pem"))
        let policy = VerificationPolicy(trusting: [key], fingerprint: key.fingerprint)
        let bundle = try UnverifiedBundle(at: Self.sample).requireConsistent(policy)
        #expect(bundle.signer == .trusted(fingerprint: key.fingerprint))
        #expect(bundle.statement.name == "sample")
        #expect(bundle.statement.purpose == .exercise)
        #expect(bundle.roots == ["workspace"])
        var names: [BytePath] = []
        try bundle.walk(root: "workspace") { entry, _ in names.append(entry.path) }
        #expect(Set(Samples.plain.map(\.path)).isSubset(of: names))
    }

    @Test("one flipped bit anywhere in the sample is found")
    func flipped() throws {
        let key = try VerifyingKey(loading: Self.fixtures.appending("sample.pub.pem"))
        let policy = VerificationPolicy(trusting: [key], fingerprint: key.fingerprint)
        let bench = try Workbench()
        let honest = try Disk.read(Self.sample)
        for offset in stride(from: 0, to: honest.count, by: 997) {
            var bytes = honest
            bytes[offset] ^= 0x10
            try Disk.write(bytes, to: bench("flipped"))
            #expect(try UnverifiedBundle(at: bench("flipped")).finding(policy) != nil, "\(offset)")
        }
    }
}
