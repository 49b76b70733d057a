public import Engine

// What actions amount to as far as policy.yaml is concerned: who may not thaw without approval may neither undo a freeze
// without it, nor give the network back by the way.

extension FreezeAction {
    /// Taking it back lets the session run, and gives the network back.
    public static var undoing: [ActionDescriptor] { [ThawAction.descriptor, ReleaseAction.descriptor] }
}

extension IsolateAction {
    /// Taking it back gives the network back.
    public static var undoing: [ActionDescriptor] { [ReleaseAction.descriptor] }
}

extension HoldRestartAction {
    /// Taking it back lets go what could start the session again.
    public static var undoing: [ActionDescriptor] { [ReleaseRestartAction.descriptor] }
}

extension ReleaseRestartAction {
    /// Taking it back holds again, which contains.
    public static var undoing: [ActionDescriptor] { [] }
}

extension ThawAction {
    /// A thaw that gives the network back is a release, too.
    public static func amounts(to input: Input) -> [ActionDescriptor] {
        [descriptor] + (input.isReleasing ? [ReleaseAction.descriptor] : [])
    }
}
