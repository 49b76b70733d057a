import Base

/// Why the reading of a foreign archive did not come to its end.
enum ForeignProblem: Error {
    /// It is not of its form, or asks for more than is given: in words for people, which may hold nothing hostile.
    case misread(String)
    /// It could not be read, or what was read could not be handed on.
    case failure(Failure)
}

/// Runs `body` and turns its failure into a problem.
func foreign<Result: ~Copyable>(_ body: () throws(Failure) -> Result) throws(ForeignProblem) -> Result {
    do {
        return try body()
    } catch {
        throw .failure(error)
    }
}
