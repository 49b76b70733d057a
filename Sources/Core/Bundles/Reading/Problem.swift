import Base

/// Why a check did not come to its end: the evidence is wrong, or it could not be read.
enum Problem: Error {
    case finding(VerificationFinding)
    case failure(Failure)

    /// As a failure, for readers of a bundle that was verified before.
    var failure: Failure {
        switch self {
        case .finding(let finding): finding.failure
        case .failure(let failure): failure
        }
    }
}

/// Runs `body` and turns its failure into a problem.
func posing<Result: ~Copyable>(_ body: () throws(Failure) -> Result) throws(Problem) -> Result {
    do {
        return try body()
    } catch {
        throw .failure(error)
    }
}

/// Runs `body` and turns its problem into a failure.
func failing<Result: ~Copyable>(_ body: () throws(Problem) -> Result) throws(Failure) -> Result {
    do {
        return try body()
    } catch {
        throw error.failure
    }
}
