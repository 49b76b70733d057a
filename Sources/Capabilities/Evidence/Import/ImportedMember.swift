public import Base
public import Bundles

extension ImportRecord {
    /// Hands the content of one member of the original to `body`, the first of that name. What `body` got is evidence only
    /// when this returns: it is compared with the digest that was sealed in the list.
    ///
    /// - Throws: `notFound` when there is no such member; `refused` when it has no digest, because it was not read;
    ///   `notVerified` when it is not what was listed; what `body` throws.
    public func read(
        _ path: BytePath,
        of bundle: VerifiedBundle,
        _ body: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let wanted = try sealedDigest(of: path, in: bundle)
        var parts: [PayloadName] = []
        for part in original.parts { parts.append(try PayloadName(part)) }
        let visitor = MemberVisitor(path, body)
        _ = try ForeignArchive(try bundle.foreignFile(parts)).walk(visitor)
        guard visitor.digest == wanted else {
            throw Failure(.notVerified, "read the member", on: "\(path)", because: "it is not what was listed")
        }
    }

    private func sealedDigest(of path: BytePath, in bundle: VerifiedBundle) throws(Failure) -> Digest {
        var found: JSONValue?
        try bundle.lines(of: try PayloadName(ImportRecord.list)) { line throws(Failure) in
            if found != nil { return }
            let value = try JSONReader.read(line, limits: .init(bytes: 4 << 20, depth: 8))
            if value["path"] == path.json { found = value }
        }
        guard let found else {
            throw Failure(
                .notFound,
                "read the member",
                on: "\(path)",
                because: "the original has no such member",
                hint: "quell bundle cat BUNDLE \(ImportRecord.list)"
            )
        }
        guard let digest = found["sha256"]?.string.flatMap({ Digest(hex: $0) }) else {
            throw Failure(.refused, "read the member", on: "\(path)", because: "it has no content that was read")
        }
        return digest
    }
}

/// Passes on the content of one member.
private final class MemberVisitor: ForeignVisitor {
    private(set) var digest: Digest?
    private let path: BytePath
    private let body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    private var isOver = false

    init(_ path: BytePath, _ body: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) {
        self.path = path
        self.body = body
    }

    func content(_ bytes: UnsafeRawBufferPointer, of member: ForeignMember) throws(Failure) {
        if !isOver, member.path == path { try body(bytes) }
    }

    func end(_ member: ForeignMember) throws(Failure) {
        guard !isOver, member.path == path else { return }
        isOver = true
        digest = member.digest
    }
}
