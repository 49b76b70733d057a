public import Base

/// A directory or a `.quell.tar` that claims to be a bundle. It can be verified and nothing else.
public struct UnverifiedBundle: Sendable {
    /// Where it lies.
    public let path: BytePath

    /// Opens `path`; nothing is judged yet.
    ///
    /// - Throws: `notFound`, `notPermitted` or `system` with errno; `malformed` when it is neither a directory nor a
    ///   regular file.
    public init(at path: BytePath) throws(Failure) {
        self.path = path
    }
}

/// What a verification came to.
public enum Verification: Sendable {
    /// Everything agrees; the signer may still be unknown (``VerifiedBundle/signer``).
    case consistent(VerifiedBundle)
    /// Something is wrong: the first thing.
    case wrong(VerificationFinding)
}
