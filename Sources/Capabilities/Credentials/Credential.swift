public import Base
public import Kernel

/// A credential as the inventory declares it. It names files that hold secrets, and holds none.
public struct DeclaredCredential: Hashable, Sendable, Codable {
    /// The inventory's id.
    public let id: String
    /// What it is.
    public let handle: CredentialHandle
    /// What the server executes; compared by device and inode.
    public let serverExecutable: BytePath
    /// The user the server runs as.
    public let serverUID: UInt32
    /// As whom Quell acts at the provider.
    public let adminUser: String
    /// Root's file of mode 0600 with that user's password.
    public let adminPasswordFile: BytePath
    /// A file with the credential's own password, for the probes that see it alive and then refused.
    public let secretFile: BytePath?

    /// Takes all parts.
    public init(
        id: String,
        handle: CredentialHandle,
        serverExecutable: BytePath,
        serverUID: UInt32,
        adminUser: String,
        adminPasswordFile: BytePath,
        secretFile: BytePath? = nil
    ) {
        self.id = id
        self.handle = handle
        self.serverExecutable = serverExecutable
        self.serverUID = serverUID
        self.adminUser = adminUser
        self.adminPasswordFile = adminPasswordFile
        self.secretFile = secretFile
    }
}

/// A credential that somebody came across: in an environment, a file, a transcript. Finding one gives no right to revoke
/// it (RT1); see ``RevocationTarget/init(found:declared:of:notAmong:)``.
public struct FoundCredential: Hashable, Sendable, Codable {
    /// What it is.
    public let handle: CredentialHandle
    /// Where it was found, in words for a person.
    public let place: String

    /// Takes both parts.
    public init(handle: CredentialHandle, place: String) {
        self.handle = handle
        self.place = place
    }
}

/// A credential that may be revoked without asking further: only what the inventory declares becomes one, and never
/// Quell's own (RT1). Every provider takes this type and no other.
public struct RevocationTarget: Hashable, Sendable {
    /// What is revoked.
    public let credential: DeclaredCredential
    /// The session that it is taken from; the server must stand outside it. `nil` when there is no session any more.
    public let session: SessionPin?
    /// More processes of the session: strays, and what stands in quarantine.
    public let strays: [ProcessPin]

    /// Takes a declared credential.
    ///
    /// - Throws: `refused` when it is Quell's own way into the provider.
    public init(
        _ declared: DeclaredCredential,
        of session: SessionPin?,
        notAmong strays: [ProcessPin] = []
    ) throws(Failure) {
        guard declared.handle.principal != declared.adminUser else {
            throw Failure(
                .refused,
                "revoke",
                on: "\(declared.handle)",
                because: "it is the user that Quell itself acts as",
                hint: "give the agent its own user, or declare another admin user"
            )
        }
        credential = declared
        self.session = session
        self.strays = strays
    }

    /// Takes a found credential if the inventory declares the same one.
    ///
    /// - Throws: `refused` when it is declared nowhere, or is Quell's own at any declared provider.
    public init(
        found: FoundCredential,
        declared: [DeclaredCredential],
        of session: SessionPin?,
        notAmong strays: [ProcessPin] = []
    ) throws(Failure) {
        let isOwn = declared.contains {
            $0.adminUser == found.handle.principal && $0.handle.server == found.handle.server
        }
        guard !isOwn else {
            throw Failure(.refused, "revoke", on: "\(found.handle)", because: "it is a user that Quell itself acts as")
        }
        guard let owned = declared.first(where: { $0.handle == found.handle }) else {
            throw Failure(
                .refused,
                "revoke",
                on: "\(found.handle)",
                because: "it was found (\(found.place)), but nothing says that it belongs to this agent",
                hint: "declare it in the inventory, or revoke it by an approval of its own"
            )
        }
        try self.init(owned, of: session, notAmong: strays)
    }

    /// What the server must be before it sees a secret (RT9).
    public var expectation: ServerExpectation {
        ServerExpectation(
            endpoint: credential.handle.server,
            executable: credential.serverExecutable,
            uid: credential.serverUID,
            outside: session?.cgroups ?? [],
            notAmong: strays + (session?.leader.map { [$0] } ?? [])
        )
    }
}
