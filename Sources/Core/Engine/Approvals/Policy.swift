import Base

/// Which effects need whose approval, as `policy.yaml` says. A contains action never needs one: no rule is ever asked
/// about it.
public struct Policy: Hashable, Sendable {
    /// So many persons of one role, for some actions.
    public struct Rule: Hashable, Sendable {
        /// Names of actions.
        public let actions: Set<String>
        /// Natures of actions; never contains.
        public let natures: Set<Nature>
        /// What has to be given.
        public let need: ApprovalNeed
        /// How long an approval may be used after it was asked for.
        public let within: Duration

        /// Takes all parts.
        public init(actions: Set<String> = [], natures: Set<Nature> = [], need: ApprovalNeed, within: Duration) {
            self.actions = actions
            self.natures = natures
            self.need = need
            self.within = within
        }

        fileprivate func binds(_ descriptor: ActionDescriptor) -> Bool {
            descriptor.nature != .contains
                && (actions.contains(descriptor.name) || natures.contains(descriptor.nature))
        }
    }

    /// The rules in the order of the file; each that binds an action has to be satisfied.
    public let rules: [Rule]

    /// Takes the rules.
    public init(_ rules: [Rule]) { self.rules = rules }

    /// Nobody has to approve anything.
    public static let none = Policy([])

    /// The rules for something that amounts to all of `descriptors`.
    public func rules(for descriptors: [ActionDescriptor]) -> [Rule] {
        rules.filter { rule in descriptors.contains(where: rule.binds) }
    }
}

/// So many persons of one role.
public struct ApprovalNeed: Hashable, Sendable, Codable {
    /// How many persons; keys are not counted.
    public let approvers: Int
    /// The role that each of them must have.
    public let role: String
    /// Whether who asked may be one of them.
    public let mayBeRequester: Bool

    /// Takes all parts.
    public init(_ approvers: Int, of role: String, mayBeRequester: Bool = false) {
        self.approvers = approvers
        self.role = role
        self.mayBeRequester = mayBeRequester
    }
}
