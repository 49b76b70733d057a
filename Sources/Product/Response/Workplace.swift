public import Base
public import Casework
public import Kernel
public import Sealing
public import Sessions

/// What the actions of a case work with: the machine, the case, the inventory, and who acts. Made once by a command.
public struct Workplace: Sendable {
    /// This machine.
    public let host: Host
    /// The case.
    public let home: Case
    /// The declared agents.
    public let inventory: Inventory
    /// Signs bundles; `nil` before `quell init`.
    public let key: SigningKey?
    /// Who acts.
    public let responder: Responder
    /// Who permitted it: a ticket, a legal basis.
    public let authority: String?
    /// The version of Quell, for seals.
    public let version: String
    /// Who alone may open memory and secret values of a capture; asked when one begins.
    public var recipients: @Sendable () throws(Failure) -> [Recipient] = { [] }

    /// Where captures go while they are made; `nil`: into the case.
    public var destination: CaptureDestination?

    /// Takes all parts.
    public init(
        host: Host,
        home: Case,
        inventory: Inventory,
        key: SigningKey?,
        responder: Responder,
        authority: String?,
        version: String
    ) {
        self.host = host
        self.home = home
        self.inventory = inventory
        self.key = key
        self.responder = responder
        self.authority = authority
        self.version = version
    }

    /// What the inventory declares about a session.
    ///
    /// - Throws: `notFound` when the agent is not declared any more.
    func agent(of session: SessionReference) throws(Failure) -> AgentRecord? {
        guard let name = session.agent else { return nil }
        if let record = inventory.agent(named: name) { return record }
        throw Failure(
            .notFound,
            "find the agent",
            on: name,
            because: "the inventory does not declare it any more",
            hint: "correct agents.yaml, or name the session by its cgroup"
        )
    }
}
