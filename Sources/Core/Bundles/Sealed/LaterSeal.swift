public import Base
public import Sealing

/// What may be added to a sealed bundle that lies in a directory: a signature that it lacked, a timestamp, countersignatures.
/// Nothing that the tag manifest lists is ever touched, so the root stays.
public struct LaterSeal {
    private let bundle: VerifiedBundle
    private let directory: BundleDirectory

    /// Takes a bundle that was verified a moment ago.
    ///
    /// - Throws: `refused` when it is packed: one file is never changed.
    public init(_ bundle: VerifiedBundle) throws(Failure) {
        guard case .directory(let directory) = bundle.store.place else {
            throw Failure(
                .refused,
                "add to the bundle",
                on: bundle.statement.name,
                because: "it is packed",
                hint: "tar -xf NAME.quell.tar, then give the directory; quell bundle pack packs it again"
            )
        }
        self.bundle = bundle
        self.directory = directory
    }

    /// Signs a bundle that was sealed without a key: the same statement, now with the name of the key.
    ///
    /// - Throws: `refused` when it is signed already, or the key is not Ed25519; what the signer throws; `system` with errno.
    public func sign(with signer: Signer) throws(Failure) -> VerifyingKey {
        guard case .unsigned = bundle.signer else {
            throw refusal("sign the bundle", "it is signed already", "quell bundle countersign")
        }
        let key = try signer.sealingKey()
        let statement = InTotoStatement(
            root: bundle.root,
            statement: bundle.statement,
            payloadFiles: bundle.payload.count,
            payloadBytes: bundle.payload.reduce(UInt64(0)) { $0 + $1.size },
            signer: key.fingerprint
        )
        try directory.publish([(BundleFiles.seal, try DSSE.sign(try statement.bytes(), as: .seal, with: signer).bytes)])
        try directory.remove(BundleFiles.unsignedStatement)
        try directory.sync("")
        return key
    }

    /// Asks for a timestamp of the seal: writes the query into the bundle, which is pending from now on. A query that is
    /// there already is given again.
    ///
    /// - Throws: `refused` when it has a timestamp or no signature; `system` with errno.
    public func requestTimestamp() throws(Failure) -> TimestampQuery {
        switch bundle.timestamp {
        case .unknown, .trusted: throw refusal("ask for a timestamp", "it has one", nil)
        case .pending: return try pendingQuery()
        case .none: break
        }
        let query = try TimestampQuery(over: try signature())
        try directory.publish([(BundleFiles.timestampQuery, query.bytes)])
        return query
    }

    /// Takes the answer to the query that is pending, after it was checked; the query goes. Who the authority is, and
    /// whether it is trusted, is for who verifies.
    ///
    /// - Throws: `refused` when nothing is pending, or the authority said no; `malformed`, `notVerified`; `system`.
    public func addTimestamp(_ response: [UInt8]) throws(Failure) -> TimestampToken.Statement {
        guard case .pending = bundle.timestamp else {
            throw refusal("add the timestamp", "no query is pending", "quell bundle timestamp BUNDLE --request FILE")
        }
        let token = try TimestampToken(response: response, answering: try pendingQuery())
        let statement = try token.judge(over: try signature(), trusting: [])
        _ = try TimestampToken(parsing: token.bytes)
        try directory.publish([(BundleFiles.timestamp, token.bytes)])
        try directory.remove(BundleFiles.timestampQuery)
        try directory.sync("")
        return statement
    }

    /// Adds what somebody says about the bundle, signed. Both may come from elsewhere: `ssh-keygen -Y sign -n
    /// quell-countersignature` over the statement's bytes.
    ///
    /// - Throws: `notVerified` when the signature is not over the statement, or the statement is about another bundle;
    ///   `refused` when the same person countersigned in that role; `system` with errno.
    @discardableResult
    public func countersign(
        _ statement: CountersignatureStatement,
        with signature: SSHSignature
    ) throws(Failure) -> SSHPublicKey {
        let text = try statement.bytes()
        let key = try signature.verify(text, as: .countersignature)
        guard statement.root == bundle.root, statement.bundle == bundle.statement.name,
            statement.caseID == bundle.statement.caseID, statement.number == bundle.statement.number
        else {
            throw Failure(
                .notVerified,
                "countersign the bundle",
                on: bundle.statement.name,
                because: "the statement is about the bundle \(statement.root), this is \(bundle.root)"
            )
        }
        let stem = BundleFiles.countersignatures + statement.stem
        guard bundle.store.members[stem + ".json"] == nil else {
            throw refusal("countersign the bundle", "\(statement.by) did so as \(statement.role)", nil)
        }
        try directory.publish([(stem + ".json", text), (stem + ".sshsig", Array(signature.text.utf8))])
        return key
    }

    private func pendingQuery() throws(Failure) -> TimestampQuery {
        try TimestampQuery(parsing: try bundle.judged(BundleFiles.timestampQuery))
    }

    /// The bytes that a timestamp is over: the signature of the seal.
    func signature() throws(Failure) -> [UInt8] {
        guard bundle.store.members[BundleFiles.seal] != nil else {
            throw refusal("ask for a timestamp", "it is not signed", "quell bundle sign")
        }
        let envelope = try DSSE.Envelope(parsing: try bundle.judged(BundleFiles.seal))
        guard envelope.signatures.count == 1, let signature = envelope.signatures.first else {
            throw refusal("ask for a timestamp", "its seal changed", nil)
        }
        return signature.bytes
    }

    private func refusal(_ attempt: String, _ reason: String, _ hint: String?) -> Failure {
        Failure(.refused, attempt, on: bundle.statement.name, because: reason, hint: hint)
    }
}
