public import Base
public import Bundles
import Glibc
public import Sealing

/// Who held a bundle from its seal on, and who read it: `NAME.custody.jsonl` beside it, one DSSE envelope a line, each with
/// the digest of the line before it.
///
/// A line that is altered, left out, put elsewhere, or signed by a key that is not trusted is found. Lines cut off at the end
/// are found only by who knows the head: it is told at each record, for the ticket.
public struct CustodyChain: Sendable {
    /// A record that was checked, and the key that signed it.
    public struct Entry: Hashable, Sendable {
        /// What it says.
        public let record: CustodyRecord
        /// The key.
        public let signer: Digest
    }

    /// The records in their order.
    public let entries: [Entry]
    /// SHA-256 of the last line.
    public let head: Digest?

    /// Who holds the bundle now; `nil` when nobody was ever recorded.
    public var holder: String? { entries.last { $0.record.kind == .handover }?.record.receiver }

    /// What a chain may have at most.
    static let largest = 64 << 20

    /// Where the chain of the bundle at `path` lies: beside it, for a directory and its packed file alike.
    public static func path(beside bundle: BytePath) -> BytePath {
        var bytes = bundle.bytes
        while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        let packed = Array(".quell.tar".utf8)
        if bytes.count > packed.count, bytes.suffix(packed.count).elementsEqual(packed) {
            bytes.removeLast(packed.count)
        }
        return BytePath(bytes + Array(".custody.jsonl".utf8))
    }

    /// Whether a chain stands beside a bundle.
    ///
    /// - Throws: `system` with errno when that cannot be told.
    public static func isKept(beside bundle: BytePath) throws(Failure) -> Bool {
        let path = path(beside: bundle)
        var status = stat()
        if path.withCString({ lstat($0, &status) }) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw Failure(errno: errno, "look at the custody", on: path) }
        return false
    }

    /// Reads and checks the chain of a bundle.
    ///
    /// - Parameters:
    ///   - keys: The keys that are trusted.
    ///   - head: The head from the ticket, when it is known: the chain must come to it or go on from it.
    /// - Returns: the chain; `nil` when there is none.
    /// - Throws: `notVerified` with the first line that is wrong; `system` with errno.
    public static func read(
        beside bundle: BytePath,
        of sealed: VerifiedBundle,
        trusting keys: [VerifyingKey],
        head: Digest? = nil
    ) throws(Failure) -> CustodyChain? {
        let path = path(beside: bundle)
        let text: [UInt8]
        do throws(Failure) {
            text = try CustodyFile.read(path)
        } catch {
            guard error.code == .notFound else { throw error }
            if let head { throw wrong(path, 0, "no record at all, the head \(head) was expected") }
            return nil
        }
        return try CustodyChain(text, at: path, root: sealed.root, from: sealed.statement.responder, keys, head)
    }

    init(
        _ text: [UInt8],
        at path: BytePath,
        root: Digest,
        from first: String,
        _ keys: [VerifyingKey],
        _ expected: Digest?
    ) throws(Failure) {
        var entries: [Entry] = []
        var previous: Digest?
        var holder = first
        var isExpectedSeen = expected == nil
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        guard lines.popLast()?.isEmpty == true else {
            throw CustodyChain.wrong(path, lines.count + 1, "the line does not end: it was cut")
        }
        for (index, line) in lines.enumerated() {
            let number = index + 1
            let entry = try CustodyChain.entry(line, at: path, number, keys)
            let record = entry.record
            guard record.number == number else {
                throw CustodyChain.wrong(path, number, "it is record \(record.number): a record is missing before it")
            }
            guard record.previous == previous else {
                throw CustodyChain.wrong(path, number, "it does not follow the record before it")
            }
            guard record.root == root else {
                throw CustodyChain.wrong(path, number, "it is about another bundle, \(record.root)")
            }
            if let last = entries.last?.record, record.time < last.time {
                throw CustodyChain.wrong(path, number, "it is older than the record before it")
            }
            if record.kind == .handover {
                guard record.actor == holder else {
                    throw CustodyChain.wrong(path, number, "\(record.actor) gave away what \(holder) held: a gap")
                }
                guard let receiver = record.receiver else {
                    throw CustodyChain.wrong(path, number, "a hand-over to nobody")
                }
                holder = receiver
            }
            previous = SHA256.digest(of: line)
            if previous == expected { isExpectedSeen = true }
            entries.append(entry)
        }
        guard isExpectedSeen else {
            throw CustodyChain.wrong(
                path,
                lines.count,
                "the chain does not have the head that was expected: records are missing"
            )
        }
        self.entries = entries
        head = previous
    }

    private static func entry(
        _ line: [UInt8],
        at path: BytePath,
        _ number: Int,
        _ keys: [VerifyingKey]
    ) throws(Failure) -> Entry {
        let envelope: DSSE.Envelope
        do throws(Failure) {
            envelope = try DSSE.Envelope(parsing: line)
        } catch {
            throw wrong(path, number, "not an envelope: \(error.reason)")
        }
        guard envelope.signatures.count == 1, let signature = envelope.signatures.first else {
            throw wrong(path, number, "\(envelope.signatures.count) signatures")
        }
        guard let key = keys.first(where: { $0.fingerprint == signature.keyID }) else {
            throw wrong(path, number, "it is signed by a key that is not trusted here, \(signature.keyID)")
        }
        let payload: [UInt8]
        do throws(Failure) {
            payload = try envelope.verify(as: .custody, with: key)
        } catch {
            throw wrong(path, number, "it was edited: \(error.reason)")
        }
        guard let record = CustodyRecord(parsing: payload) else { throw wrong(path, number, "not of its form") }
        return Entry(record: record, signer: key.fingerprint)
    }

    /// Adds a record to the chain beside a bundle, which must hold so far, and brings it to disk.
    ///
    /// - Parameter isAccess: An access is recorded only where a chain stands already.
    /// - Returns: the chain with the record; `nil` for an access where there is no chain.
    /// - Throws: `notVerified` when the chain does not hold or the record would not; `system` with errno.
    public static func append(
        _ record: CustodyRecord,
        beside bundle: BytePath,
        of sealed: VerifiedBundle,
        trusting keys: [VerifyingKey],
        signedBy signer: Signer
    ) throws(Failure) -> CustodyChain? {
        let path = path(beside: bundle)
        let file = try CustodyFile(path, creating: record.kind == .handover)
        guard let file else { return nil }
        let text = try file.contents()
        let known = keys + [try signer.sealingKey()]
        let chain = try CustodyChain(text, at: path, root: sealed.root, from: sealed.statement.responder, known, nil)
        var numbered = record
        numbered.number = chain.entries.count + 1
        numbered.previous = chain.head
        let line = try numbered.signed(by: signer) + [UInt8(ascii: "\n")]
        let whole = try CustodyChain(
            text + line,
            at: path,
            root: sealed.root,
            from: sealed.statement.responder,
            known,
            nil
        )
        try file.append(line)
        return whole
    }

    private static func wrong(_ path: BytePath, _ number: Int, _ reason: String) -> Failure {
        let subject = String(decoding: path.bytes, as: UTF8.self) + (number > 0 ? " line \(number)" : "")
        return Failure(.notVerified, "verify the custody", on: subject, because: reason)
    }
}
