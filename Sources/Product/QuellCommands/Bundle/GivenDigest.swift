import Base

/// A digest as a person gives it.
enum GivenDigest {
    /// Reads it; `nil` when none was given. `attempt` is what failures say was tried.
    ///
    /// - Throws: `usage` when it is none.
    static func read(_ text: String?, to attempt: String) throws(Failure) -> Digest? {
        guard let text else { return nil }
        guard let digest = Digest(hex: text) else {
            throw Failure(.usage, attempt, on: text, because: "not 64 lower-case hex digits")
        }
        return digest
    }
}
