public import Base

/// The actions that a run may use, by name. Written out by hand in one file of Response.
public struct ActionRegistry: Sendable {
    private var actions: [String: AnyAction] = [:]

    /// No actions.
    public init() {}

    /// Adds an action.
    ///
    /// - Throws: `refused` when the name is taken, or not `[a-z0-9-]`, or when the action alters or destroys and asks for
    ///   less evidence than its nature demands.
    public mutating func register(_ action: some Action) throws(Failure) {
        let erased = AnyAction(action)
        let descriptor = erased.descriptor
        if let problem = problem(with: descriptor) {
            throw Failure(.refused, "register the action", on: descriptor.name, because: problem)
        }
        actions[descriptor.name] = erased
    }

    private func problem(with descriptor: ActionDescriptor) -> String? {
        let isName = descriptor.name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        if !isName || descriptor.name.isEmpty { return "its name is not of the form [a-z0-9-]" }
        if actions[descriptor.name] != nil { return "its name is taken" }
        if !descriptor.isGatedEnough { return "it \(descriptor.nature.rawValue) and asks for too little evidence" }
        return nil
    }

    /// The descriptor of `name`, for linters and help.
    public func descriptor(of name: String) -> ActionDescriptor? { actions[name]?.descriptor }

    /// All descriptors by name.
    public var descriptors: [ActionDescriptor] { actions.values.map(\.descriptor).sorted { $0.name < $1.name } }

    /// The action called `name`.
    ///
    /// - Throws: `notFound`.
    func action(_ name: String) throws(Failure) -> AnyAction {
        guard let action = actions[name] else {
            throw Failure(.notFound, "find the action", on: name, because: "no action has that name")
        }
        return action
    }
}
