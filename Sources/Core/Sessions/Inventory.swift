public import Base

/// The agents that somebody declared before the incident: `agents.yaml`.
public struct Inventory: Hashable, Sendable {
    /// No agents at all.
    public static let empty = Inventory(agents: [])

    /// The agents in the order of the file; names are unique.
    public let agents: [AgentRecord]

    /// Takes agents with unique names.
    public init(agents: [AgentRecord]) { self.agents = agents }

    /// The agent of that name.
    public func agent(named name: String) -> AgentRecord? { agents.first { $0.name == name } }
}

/// One declared agent.
public struct AgentRecord: Hashable, Sendable {
    /// Its name: a to z, 0 to 9 and dashes.
    public let name: String
    /// Who answers for it: a person or a team.
    public let owner: String?
    /// Where it runs: `cgroup:`, `podman:`, `runc:`, `crun:`, `lxc:` or `pid:`.
    public let locator: Locator
    /// The directories it works in.
    public let workspace: [BytePath]
    /// Its transcripts: directories or files.
    public let transcripts: [BytePath]
    /// Other logs that belong to it.
    public let logs: [BytePath]
    /// The uid that only this agent uses: a strong mark.
    public let uid: UInt32?
    /// What would start it again, in the owner's words.
    public let supervisor: String?
    /// The credentials it was given.
    public let credentials: [CredentialRecord]

    /// Takes all parts.
    public init(
        name: String,
        owner: String? = nil,
        locator: Locator,
        workspace: [BytePath] = [],
        transcripts: [BytePath] = [],
        logs: [BytePath] = [],
        uid: UInt32? = nil,
        supervisor: String? = nil,
        credentials: [CredentialRecord] = []
    ) {
        self.name = name
        self.owner = owner
        self.locator = locator
        self.workspace = workspace
        self.transcripts = transcripts
        self.logs = logs
        self.uid = uid
        self.supervisor = supervisor
        self.credentials = credentials
    }
}

/// One declared credential: what is revoked, where, and how Quell proves itself there. No secret stands in it.
public struct CredentialRecord: Hashable, Sendable {
    /// Its id: a to z, 0 to 9 and dashes.
    public let id: String
    /// The kind of server: `redis`.
    public let provider: String
    /// Whose it is there: the name of the ACL user.
    public let principal: String
    /// The host of the server, as it was written.
    public let host: String
    /// The port of the server.
    public let port: UInt16
    /// The executable that the server must be running, when it is on this machine (RT9).
    public let serverExecutable: BytePath?
    /// The uid that the server must have, when it is on this machine (RT9).
    public let serverUID: UInt32?
    /// The user that Quell revokes as.
    public let adminUser: String?
    /// The file with that user's password, root-owned and 0600.
    public let adminPasswordFile: BytePath?
    /// The file with the agent's own password, for the probes before and after.
    public let secretFile: BytePath?

    /// Takes all parts.
    public init(
        id: String,
        provider: String,
        principal: String,
        host: String,
        port: UInt16,
        serverExecutable: BytePath? = nil,
        serverUID: UInt32? = nil,
        adminUser: String? = nil,
        adminPasswordFile: BytePath? = nil,
        secretFile: BytePath? = nil
    ) {
        self.id = id
        self.provider = provider
        self.principal = principal
        self.host = host
        self.port = port
        self.serverExecutable = serverExecutable
        self.serverUID = serverUID
        self.adminUser = adminUser
        self.adminPasswordFile = adminPasswordFile
        self.secretFile = secretFile
    }

    /// How it is named everywhere: `redis:PRINCIPAL@HOST:PORT`.
    public var handle: String { "\(provider):\(principal)@\(host):\(port)" }
}
