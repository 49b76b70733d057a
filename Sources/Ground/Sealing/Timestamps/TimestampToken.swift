public import Base
import COpenSSL
import Glibc

/// What a time stamping authority answered: that something existed at a time. Kept in the form that
/// `openssl ts -verify -in` reads: a status of granted, nothing beside it, and the token.
///
/// Source: RFC 3161 section 2.4.2. Everything in it is foreign until ``judge(over:trusting:)`` was asked.
public struct TimestampToken: Hashable, Sendable {
    /// Who says the time, and which.
    public struct Statement: Hashable, Sendable {
        /// The time, to the second.
        public let time: Instant
        /// The subject of the certificate that signed, as libcrypto prints it in one line.
        public let authority: String
        /// Whether that certificate leads to one that the caller trusts, at that time.
        public let isTrusted: Bool
    }

    /// The most bytes of an answer.
    public static let sizeLimit = 64 << 10

    /// The response in DER.
    public let bytes: [UInt8]

    /// SEQUENCE { SEQUENCE { INTEGER 0 }, token }: granted, without words.
    private static let granted: [UInt8] = [0x30, 0x03, 0x02, 0x01, 0x00]

    /// Takes an authority's answer to `query`.
    ///
    /// - Throws: `refused` when it says no; `malformed`; `notVerified` when it answers another question.
    public init(response: [UInt8], answering query: TimestampQuery) throws(Failure) {
        let parsed = try TimestampResponse(response)
        guard parsed.isGranted else {
            throw Failure(
                .refused,
                "get a timestamp",
                on: "RFC 3161",
                because: "the authority said no: \(parsed.words)"
            )
        }
        bytes = DER.sequence(TimestampToken.granted + (try parsed.token()))
        try parsed.require(nonce: query.nonce)
        try parsed.require(digest: query.digest)
    }

    /// Reads what ``bytes`` writes.
    ///
    /// - Throws: `malformed`.
    public init(parsing bytes: [UInt8]) throws(Failure) {
        let parsed = try TimestampResponse(bytes)
        guard parsed.isGranted, bytes == DER.sequence(TimestampToken.granted + (try parsed.token())) else {
            throw TimestampResponse.malformed("it is not a granted response without words")
        }
        self.bytes = bytes
    }

    /// What the token says about `message`, after digest and signature were checked. A signer that leads to none of
    /// `authorities` at the token's own time is told as not trusted, which is no error.
    ///
    /// - Throws: `notVerified` when it is about something else, or not signed by the certificate in it.
    public func judge(over message: [UInt8], trusting authorities: [TimeAuthority]) throws(Failure) -> Statement {
        let parsed = try TimestampResponse(bytes)
        let digest = SHA256.digest(of: message)
        try parsed.require(digest: digest)
        let time = try parsed.time()
        let signer = try parsed.signer()
        defer { X509_free(signer) }
        if let problem = parsed.problem(digest, at: time, trusting: [], else: signer) {
            throw TimestampResponse.unverified(problem)
        }
        let isTrusted =
            !authorities.isEmpty
            && parsed.problem(digest, at: time, trusting: authorities, else: nil) == nil
        return Statement(
            time: Instant(seconds: Int64(time)),
            authority: TimestampResponse.name(of: signer),
            isTrusted: isTrusted
        )
    }
}
