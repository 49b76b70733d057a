import Base
import Sealing

/// Reads seal.tsr, or seal.tsq where there is no token yet. A token that stamps something else is wrong; one by an authority
/// that nobody trusts here is not.
struct TimestampCheck {
    let store: MemberStore
    let policy: VerificationPolicy

    func read(over signature: [UInt8]?) throws(Problem) -> VerifiedBundle.Timestamp {
        if let bytes = try bytes(of: BundleFiles.timestamp, most: TimestampToken.sizeLimit) {
            guard let signature else {
                throw wrong(BundleFiles.timestamp, "a signature that it stamps", "none")
            }
            return try judge(bytes, over: signature)
        }
        guard let query = try bytes(of: BundleFiles.timestampQuery, most: 1024) else { return .none }
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
        return .pending
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
        try store.smallFile(name, most: most) { wrong(name, "at most \(most) bytes", "\($0)") }
    }

    private func wrong(_ file: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.timestamp, in: file, expected: expected, found: found))
    }
}

extension MemberStore {
    /// A whole small file; `nil` when there is none, what `tooLong` says of its size when it is longer.
    func smallFile(
        _ name: String,
        most: Int,
        _ tooLong: (UInt64) -> Problem
    ) throws(Problem) -> [UInt8]? {
        guard let reader = try posing({ () throws(Failure) in try open(name) }) else { return nil }
        guard reader.member.size <= UInt64(most) else { throw tooLong(reader.member.size) }
        return try posing { () throws(Failure) -> [UInt8] in
            var bytes: [UInt8] = []
            try reader.forEach(PageBuffer(size: 64 << 10)) { bytes += $0 }
            return bytes
        }
    }
}
