public import Base

/// What is known of one credential of a case. A plain record; the case's journal stores it.
public struct LedgerRecord: Hashable, Sendable, Codable {
    /// Whether the inventory declares it, or where it was found.
    public enum Origin: Hashable, Sendable, Codable {
        /// The inventory's id.
        case declared(String)
        /// The place in words.
        case found(String)
    }

    /// The public name.
    public let handle: CredentialHandle
    /// How we know of it.
    public let origin: Origin
    /// The latest conclusion; ``Verdict/unknown`` until a receipt came.
    public internal(set) var verdict: Verdict
    /// When that was.
    public internal(set) var concluded: Instant?

    /// A record without a conclusion yet.
    public init(handle: CredentialHandle, origin: Origin) {
        self.handle = handle
        self.origin = origin
        verdict = .unknown
        concluded = nil
    }
}

/// All credentials of a case, in the order they became known.
public struct Ledger: Hashable, Sendable, Codable {
    /// The records.
    public private(set) var records: [LedgerRecord] = []

    /// An empty ledger.
    public init() {}

    /// Adds a credential. One that is known keeps its verdict; being declared replaces having been found.
    public mutating func note(_ handle: CredentialHandle, _ origin: LedgerRecord.Origin) {
        guard let index = records.firstIndex(where: { $0.handle == handle }) else {
            records.append(LedgerRecord(handle: handle, origin: origin))
            return
        }
        guard case .declared = origin else { return }
        var replaced = LedgerRecord(handle: handle, origin: origin)
        replaced.verdict = records[index].verdict
        replaced.concluded = records[index].concluded
        records[index] = replaced
    }

    /// Takes a receipt's conclusion. An older one than the record's is ignored, and a sibling login with the same secret
    /// becomes a found credential of its own (RT40).
    ///
    /// - Throws: `malformed` when a sibling's name cannot be a handle.
    public mutating func take(_ receipt: Receipt) throws(Failure) {
        note(receipt.handle, .declared(receipt.credential))
        for index in records.indices where records[index].handle == receipt.handle {
            if let concluded = records[index].concluded, concluded > receipt.ended { continue }
            records[index].verdict = receipt.verdict
            records[index].concluded = receipt.ended
        }
        for sibling in receipt.siblings {
            let handle = try CredentialHandle(
                provider: receipt.handle.provider,
                principal: sibling.principal,
                server: receipt.handle.server
            )
            note(handle, .found("it has the password of \(receipt.handle.principal)"))
        }
    }

    /// Those that are not known to be dead, in order.
    public var open: [LedgerRecord] {
        records.filter { $0.verdict != .dead && $0.verdict != .wasAlreadyDead }
    }
}
