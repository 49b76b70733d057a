public import Base
public import Sessions

/// A session among an action's parameters: resolved once by the command, then used by its pins (RT35).
public struct SessionReference: Hashable, Sendable, Codable {
    /// How the responder named it.
    public let locator: Locator
    /// What that resolved to.
    public let pin: SessionPin
    /// The agent of the inventory, when one is declared for it.
    public let agent: String?

    /// Takes all parts.
    public init(locator: Locator, pin: SessionPin, agent: String? = nil) {
        self.locator = locator
        self.pin = pin
        self.agent = agent
    }

    /// As Swift would, without a key type of its own (``Base/JSONKey``).
    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: JSONKey.self)
        try members.encode(locator, forKey: "locator")
        try members.encode(pin, forKey: "pin")
        if let agent { try members.encode(agent, forKey: "agent") }
    }

    /// As an encoder would, without one.
    public var jsonValue: JSONValue {
        guard let agent else { return ["locator": locator.argument.jsonValue, "pin": pin.jsonValue] }
        return ["locator": locator.argument.jsonValue, "pin": pin.jsonValue, "agent": .string(agent)]
    }

    /// Takes a resolved session; the agent is the one that it was named by, else the one that the inventory declares for
    /// its cgroup.
    public init(_ session: Session, declaredIn inventory: Inventory) {
        self.init(
            locator: session.locator,
            pin: session.pin,
            agent: (session.agent ?? inventory.agent(of: session.pin))?.name
        )
    }
}

extension Inventory {
    /// The agent whose declared cgroup is one of the pin's.
    public func agent(of pin: SessionPin) -> AgentRecord? {
        agents.first { record in
            guard case .cgroup(let path) = record.locator else { return false }
            return pin.cgroups.contains { $0.path == path }
        }
    }
}
