public import Base
public import Bundles
import Glibc
public import Sealing

/// Who held a bundle from its seal on, and who read it: `NAME.custody.jsonl` beside it, one DSSE envelope a line, each with
/// the digest of the line before it.
///
/// A line that is altered, left out, put elsewhere, or signed by a key that is not trusted is found. Lines cut off at the end
/// are found only by who knows the head: it is told at each record, for the ticket. The names in a record are words: whose key
/// signed it says the trust file.
public struct CustodyChain: Sendable {
    /// A record that was checked, and the key that signed it.
    public struct Entry: Hashable, Sendable {
        /// What it says.
        public let record: CustodyRecord
        /// The key.
        public let signer: Digest
        /// Whose key the trust file says it is.
        public let owner: String?
        /// Why the name of who acts is a claim and no fact; `nil` when it is the owner's of the key, in that role and time.
        public let doubt: String?

        /// Whether the trust file speaks against the record, rather than not vouching for its names.
        public let isContradicted: Bool
    }

    /// The records in their order.
    public let entries: [Entry]
    /// SHA-256 of the last line.
    public let head: Digest?
    /// Bytes behind the last whole line: what a crash left of a record that nobody was told was made.
    public let torn: Int
    /// Where the torn bytes were put before a record was added; `nil` when there were none.
    public private(set) var keptTorn: BytePath?

    /// Whether the trust file speaks against one of the records.
    public var isContradicted: Bool { entries.contains { $0.isContradicted } }

    /// Who holds the bundle now, as the last hand-over says; `nil` when nobody was ever recorded.
    public var holder: String? { lastHandover?.record.receiver }

    /// The last hand-over. Who receives signs nothing: that name is always the word of who gives.
    public var lastHandover: Entry? { entries.last { $0.record.kind == .handover } }

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
    ///   - policy: The keys that are trusted, whose they are, and when.
    ///   - head: The head from the ticket, when it is known: the chain must come to it or go on from it.
    /// - Returns: the chain; `nil` when there is none.
    /// - Throws: `notVerified` with the first line that is wrong; `system` with errno.
    public static func read(
        beside bundle: BytePath,
        of sealed: VerifiedBundle,
        _ policy: VerificationPolicy,
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
        return try CustodyChain(text, at: path, of: sealed, CustodyKeys(policy), head)
    }

    init(
        _ text: [UInt8],
        at path: BytePath,
        of sealed: VerifiedBundle,
        _ keys: CustodyKeys,
        _ expected: Digest?
    ) throws(Failure) {
        var entries: [Entry] = []
        var previous: Digest?
        var holder = sealed.statement.responder
        var isExpectedSeen = expected == nil
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        let tail = lines.popLast() ?? []
        // A record that lacks nothing but its line feed is whole; of any other rest it is told.
        if CustodyChain.isWhole(tail) { lines.append(tail) }
        torn = CustodyChain.isWhole(tail) ? 0 : tail.count
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
            guard record.root == sealed.root, record.bundle == sealed.statement.name else {
                throw CustodyChain.wrong(path, number, "it is about another bundle, \(record.bundle) \(record.root)")
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
        _ keys: CustodyKeys
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
        guard let key = keys.key(signature.keyID) else {
            throw wrong(path, number, "it is signed by a key that is not trusted here, \(signature.keyID)")
        }
        let payload: [UInt8]
        do throws(Failure) {
            payload = try envelope.verify(as: .custody, with: key)
        } catch {
            throw wrong(path, number, "it was edited: \(error.reason)")
        }
        let record: CustodyRecord
        do throws(Failure) {
            record = try CustodyRecord(parsing: payload)
        } catch {
            throw wrong(path, number, "not of its form: \(error.reason)")
        }
        let standing = keys.standing(of: key, in: record)
        return Entry(
            record: record,
            signer: key.fingerprint,
            owner: standing.owner,
            doubt: standing.doubt,
            isContradicted: standing.isContradicted
        )
    }

    /// Whether a last line without its line feed is an envelope to its end: a part of canonical JSON never is.
    private static func isWhole(_ line: [UInt8]) -> Bool {
        do throws(Failure) {
            _ = try DSSE.Envelope(parsing: line)
            return true
        } catch {
            return false
        }
    }

    /// Adds a record to the chain beside a bundle, which must hold so far, and brings it to disk. What a crash left of a record
    /// behind the last line is put into a file of its own first. An access is recorded only where a chain stands already.
    ///
    /// - Returns: the chain with the record; `nil` for an access where there is no chain.
    /// - Throws: `notVerified` when the chain does not hold or the record would not; `system` with errno.
    public static func append(
        _ record: CustodyRecord,
        beside bundle: BytePath,
        of sealed: VerifiedBundle,
        _ policy: VerificationPolicy,
        signedBy signer: Signer
    ) throws(Failure) -> CustodyChain? {
        let path = path(beside: bundle)
        let file = try CustodyFile(path, creating: record.kind == .handover)
        guard let file else { return nil }
        var text = try file.contents()
        let keys = CustodyKeys(policy, besides: try signer.sealingKey())
        let chain = try CustodyChain(text, at: path, of: sealed, keys, nil)
        let kept = try file.putAside(torn: chain.torn, of: &text)
        var numbered = record
        numbered.number = chain.entries.count + 1
        numbered.previous = chain.head
        let newline = [UInt8(ascii: "\n")]
        let isEnded = text.isEmpty || text.last == newline[0]
        let line = (isEnded ? [] : newline) + (try numbered.signed(by: signer)) + newline
        var whole = try CustodyChain(text + line, at: path, of: sealed, keys, nil)
        try file.append(line)
        whole.keptTorn = kept
        return whole
    }

    private static func wrong(_ path: BytePath, _ number: Int, _ reason: String) -> Failure {
        let subject = String(decoding: path.bytes, as: UTF8.self) + (number > 0 ? " line \(number)" : "")
        return Failure(.notVerified, "verify the custody", on: subject, because: reason)
    }
}
