public import Base
import Glibc
public import Sealing

extension UnverifiedBundle {
    /// What a seal of 16 MiB and more says is not read.
    private static let largestSeal: UInt64 = 16 << 20

    /// What the seal of a bundle's directory says, after a signature of one of `keys` over it was checked; where there are
    /// no keys at all, what an unsigned seal says. The rest of the bundle is not looked at: this tells what was sealed, not
    /// that it is still there.
    ///
    /// - Throws: `notVerified` when none of the keys signed it, or it is not of its form; why it cannot be read.
    public static func seal(in path: BytePath, signedBy keys: [VerifyingKey]) throws(Failure) -> SealStatement {
        let name = keys.isEmpty ? BundleFiles.unsignedStatement : BundleFiles.seal
        let bytes = try bytes(of: name, in: try BundleDirectory(opening: path))
        return try failing { () throws(Problem) in
            let seal = try SealCheck(policy: VerificationPolicy(trusting: keys)).read(bytes, named: name)
            if case .unknown(let fingerprint) = seal.signer {
                let finding = VerificationFinding(
                    .signature,
                    in: name,
                    expected: "a signature by a key of the store",
                    found: "one by the key \(fingerprint)"
                )
                throw Problem.finding(finding)
            }
            return seal.statement.statement
        }
    }

    private static func bytes(of name: String, in directory: BundleDirectory) throws(Failure) -> [UInt8] {
        let subject = directory.subject(name)
        let descriptor = try directory.open(name)
        let size = UInt64(clamping: try descriptor.status(of: subject).st_size)
        guard size < largestSeal else {
            throw Failure(.refused, "read the seal", on: name, because: "it has \(size) bytes")
        }
        let member = Member(name: name, size: size, offset: 0)
        var bytes: [UInt8] = []
        try MemberReader(member, file: PackedFile(subject, descriptor)).forEach(PageBuffer(size: 64 << 10)) {
            bytes += $0
        }
        return bytes
    }
}
