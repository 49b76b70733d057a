public import Base
import Bundles
public import Casework
public import Evidence
public import Sealing

/// Brings the output of foreign collectors into the evidence, with or without a case.
public struct ForeignEvidence {
    private let key: SigningKey?
    private let responder: Responder
    private let authority: String?
    private let version: String

    /// Takes who imports, by which authority, and the key that seals.
    public init(key: SigningKey?, responder: Responder, authority: String?, version: String) {
        self.key = key
        self.responder = responder
        self.authority = authority
        self.version = version
    }

    /// Seals a bundle of no case into the new directory `directory`, under the name `name`.
    ///
    /// - Throws: `malformed` for a name that is not `[a-z0-9-]+`, and as ``Evidence/ForeignImport``.
    public func seal(_ order: ImportOrder, named name: String, to directory: BytePath) throws(Failure) -> SealedImport {
        let parts = try parts(name: name, caseID: "none", number: 1)
        return try ForeignImport(order, parts).seal(to: directory, sealedWith: key)
    }

    /// Seals a bundle of a case and records it there as what it is: an import names no session and stands for no capture
    /// (RT33).
    ///
    /// - Throws: `refused` when the case is closed, and as ``Evidence/ForeignImport``.
    public func seal(_ order: ImportOrder, in home: Case) throws(Failure) -> SealedImport {
        guard try !home.isClosed() else {
            throw Failure(.refused, "import", on: home.id.text, because: "the case is closed", hint: "quell case list")
        }
        let shelf = BundleShelf(home)
        let number = try shelf.reserve()
        defer { shelf.release(number) }
        let name = shelf.name(number)
        let parts = try parts(name: name, caseID: home.id.text, number: number)
        let sealed = try ForeignImport(order, parts).seal(to: shelf.path(name), sealedWith: key)
        // Where there is room, room was kept for this line.
        shelf.release(number)
        let capture = CaptureRecord(
            bundle: name,
            root: sealed.bundle.root,
            pins: [],
            profile: .volatile,
            purpose: .foreign,
            isComplete: false
        )
        try home.record(capture, by: responder)
        return sealed
    }

    private func parts(name: String, caseID: String, number: Int) throws(Failure) -> SealParts {
        SealParts(
            name: name,
            caseID: caseID,
            number: number,
            purpose: .imported,
            freeze: nil,
            authority: authority,
            tool: SealStatement.Tool(version: version, digest: try CaptureDraft.ownDigest()),
            responder: responder.name,
            host: try CaptureDraft.hostName()
        )
    }
}
