public import Base
import Glibc

/// A directory or a `.quell.tar` that claims to be a bundle. It can be verified and nothing else.
public struct UnverifiedBundle: Sendable {
    /// Where it lies.
    public let path: BytePath

    private enum Form: Sendable {
        case directory(BundleDirectory)
        case packed(PackedFile, size: UInt64)
    }

    private let form: Form

    /// Opens `path`; nothing is judged yet.
    ///
    /// - Throws: `notFound`, `notPermitted` or `system` with errno; `malformed` when it is neither a directory nor a
    ///   regular file; ELOOP when it is a symbolic link.
    public init(at path: BytePath) throws(Failure) {
        self.path = path
        let descriptor = try OwnedDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK, attempt: "open the bundle")
        let status = try descriptor.status(of: path)
        switch status.st_mode & S_IFMT {
        case S_IFDIR: form = .directory(try BundleDirectory(opening: path))
        case S_IFREG: form = .packed(PackedFile(path, descriptor), size: UInt64(clamping: status.st_size))
        default:
            throw Failure(.malformed, "open the bundle", on: "\(path)", because: "neither a directory nor a file")
        }
    }

    /// Checks everything, in this order: packing and files, seal and signature, BagIt files, digests, archives against
    /// their mtree, collection, journal. Memory does not grow with the size of files.
    ///
    /// - Returns: the verified bundle, or the first thing that is wrong (exit status 4). A seal by a key that the policy
    ///   does not trust is not wrong: see ``VerifiedBundle/signer`` (exit status 3).
    /// - Throws: `system` with errno when the evidence cannot be read.
    public func verify(_ policy: VerificationPolicy) throws(Failure) -> Verification {
        do throws(Problem) {
            return .consistent(try Verifier(store: try store(), packedAs: packedName(), policy: policy).run())
        } catch {
            switch error {
            case .finding(let finding): return .wrong(finding)
            case .failure(let failure): throw failure
            }
        }
    }

    /// Reads a bundle back right after it was sealed and compares every byte with what its writer hashed: names, seal and
    /// signature, BagIt files, the digest of each file. Archives, collection and journal are not looked into, because
    /// their bytes are those that were written. Whoever reads the bundle later, or lets it count, uses ``verify(_:)``:
    /// nothing here makes a ``VerifiedBundle``.
    ///
    /// - Parameters:
    ///   - root: The root digest that sealing gave.
    ///   - policy: The keys that are trusted; the judge of the journal is not asked.
    ///   - sums: What the writer that made it knows of its files: they are read to their end all the same, and cost less.
    ///     `nil`, as when the writer is gone: digests are taken anew.
    /// - Throws: `notVerified` with the first thing that is wrong; `system` with errno when it cannot be read.
    public func readBack(
        sealedAs root: Digest,
        _ policy: VerificationPolicy,
        comparing sums: WrittenSums? = nil
    ) throws(Failure) {
        try failing { () throws(Problem) in
            let verifier = try Verifier(store: store(), packedAs: packedName(), policy: policy, sums: sums)
            let seal = try verifier.readOutside().statement
            guard seal.root == root else {
                throw .finding(
                    VerificationFinding(
                        .seal,
                        in: BundleFiles.seal,
                        expected: "the bundle \(root) that was sealed",
                        found: "\(seal.root)"
                    )
                )
            }
        }
    }

    private func packedName() throws(Problem) -> String? {
        guard case .packed(let file, let size) = form else { return nil }
        return try Packing(file, size: size, order: .sortedOrStreamed).bundle
    }

    private func store() throws(Problem) -> MemberStore {
        switch form {
        case .packed(let file, let size):
            let members = try Packing(file, size: size, order: .sortedOrStreamed).members
            return MemberStore(place: .packed(file), members: Self.byName(members))
        case .directory(let directory):
            let items = try posing { () throws(Failure) in try DirectoryListing(of: path).items }
            var members: [Member] = []
            for item in items {
                let name = item.name.text ?? "\(item.name)"
                // An empty folder for countersignatures is what an interrupted first one leaves: it holds nothing.
                if item.mode & S_IFMT == S_IFDIR, name + "/" == BundleFiles.countersignatures { continue }
                guard item.mode & S_IFMT == S_IFREG else {
                    let found = Self.kind(item.mode)
                    throw .finding(
                        VerificationFinding(.members, in: name, expected: "regular files only", found: found)
                    )
                }
                members.append(Member(name: name, size: item.size, offset: 0))
            }
            return MemberStore(place: .directory(directory), members: Self.byName(members))
        }
    }

    private static func byName(_ members: [Member]) -> [String: Member] {
        Dictionary(members.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private static func kind(_ mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFDIR: "an empty directory"
        case S_IFLNK: "a symbolic link"
        case S_IFIFO: "a named pipe"
        case S_IFSOCK: "a socket"
        default: "a device"
        }
    }
}

/// What a verification came to.
public enum Verification: Sendable {
    /// Everything agrees; the signer may still be unknown (``VerifiedBundle/signer``).
    case consistent(VerifiedBundle)
    /// Something is wrong: the first thing.
    case wrong(VerificationFinding)
}
