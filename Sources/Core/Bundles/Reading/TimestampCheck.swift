import Base
import Sealing

/// Reads seal.tsr, or seal.tsq where there is no token yet. A token that stamps something else is wrong; one by an authority
/// that nobody trusts here is not. A query beside the token is the very one that it answers, as an end between the two
/// steps of adding it leaves: then each of its bytes stands in the token too. Any other is wrong.
struct TimestampCheck {
    let files: SmallFiles
    let policy: VerificationPolicy

    func read(over signature: [UInt8]?) throws(Problem) -> VerifiedBundle.Timestamp {
        let query = try query(over: signature)
        guard let bytes = try bytes(of: BundleFiles.timestamp, most: TimestampToken.sizeLimit) else {
            return query == nil ? .none : .pending
        }
        guard let signature else {
            throw wrong(BundleFiles.timestamp, "a signature that it stamps", "none")
        }
        let timestamp = try judge(bytes, over: signature)
        if let query { try requireAnswer(bytes, to: query) }
        return timestamp
    }

    /// The query that lies there, which is about this seal; `nil` when there is none.
    private func query(over signature: [UInt8]?) throws(Problem) -> TimestampQuery? {
        guard let query = try bytes(of: BundleFiles.timestampQuery, most: 1024) else { return nil }
        guard let signature else { throw wrong(BundleFiles.timestampQuery, "a signature that it asks about", "none") }
        let asked: TimestampQuery
        do throws(Failure) {
            asked = try TimestampQuery(parsing: query)
        } catch {
            throw wrong(BundleFiles.timestampQuery, "a query of Quell's", error.reason)
        }
        guard asked.digest == SHA256.digest(of: signature) else {
            throw wrong(BundleFiles.timestampQuery, "a query about this seal", "one about something else")
        }
        return asked
    }

    private func requireAnswer(_ token: [UInt8], to query: TimestampQuery) throws(Problem) {
        do throws(Failure) {
            _ = try TimestampToken(response: token, answering: query)
        } catch {
            throw wrong(
                BundleFiles.timestampQuery,
                "no query beside \(BundleFiles.timestamp), or the one that it answers",
                "another question: \(error.reason)"
            )
        }
    }

    private func judge(_ bytes: [UInt8], over signature: [UInt8]) throws(Problem) -> VerifiedBundle.Timestamp {
        do throws(Failure) {
            let token = try TimestampToken(parsing: bytes)
            let statement = try token.judge(over: signature, trusting: policy.timeAuthorities)
            return statement.isTrusted ? .trusted(statement) : .unknown(statement)
        } catch {
            throw wrong(BundleFiles.timestamp, "a timestamp of this seal", error.reason)
        }
    }

    private func bytes(of name: String, most: Int) throws(Problem) -> [UInt8]? {
        try files.bytes(of: name, most: UInt64(most)) { wrong(name, "at most \(most) bytes", "\($0)") }
    }

    private func wrong(_ file: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.timestamp, in: file, expected: expected, found: found))
    }
}
