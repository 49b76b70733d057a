import Base
import Sealing

/// The files of a bundle that are read whole, each once: what is used is what was hashed, also where the bundle changes
/// meanwhile, and what is read later must have the same digest.
final class SmallFiles {
    static let largest: UInt64 = 256 << 20

    /// What the files had that were read so far.
    private(set) var digests: [String: Digest] = [:]

    private let store: MemberStore

    init(in store: MemberStore) { self.store = store }

    var names: [String] { store.members.keys.sorted() }

    /// A whole file that must be there.
    func bytes(of name: String) throws(Problem) -> [UInt8] {
        let tooLong = { (_: UInt64) -> Problem in SmallFiles.refusal(name, "longer than 256 MiB") }
        guard let bytes = try bytes(of: name, most: SmallFiles.largest, tooLong) else {
            throw SmallFiles.refusal(name, "missing")
        }
        return bytes
    }

    /// A whole file; `nil` when there is none, what `tooLong` says of its size when it is longer.
    func bytes(of name: String, most: UInt64, _ tooLong: (UInt64) -> Problem) throws(Problem) -> [UInt8]? {
        guard let reader = try posing({ () throws(Failure) in try store.open(name) }) else { return nil }
        guard reader.member.size <= most else { throw tooLong(reader.member.size) }
        var bytes: [UInt8] = []
        try posing { () throws(Failure) in try reader.forEach(PageBuffer(size: 64 << 10)) { bytes += $0 } }
        let digest = SHA256.digest(of: bytes)
        guard digests.updateValue(digest, forKey: name) ?? digest == digest else {
            throw .finding(
                VerificationFinding(
                    .digest,
                    in: name,
                    expected: "the bytes that were read before",
                    found: "other bytes"
                )
            )
        }
        return bytes
    }

    private static func refusal(_ name: String, _ reason: String) -> Problem {
        .failure(Failure(.refused, "read the file", on: name, because: reason))
    }
}
