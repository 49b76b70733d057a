public import Base
public import Engine

/// All actions of the product, written out by hand in this one place.
public enum ActionCatalogue {
    /// The actions that work at `place`.
    ///
    /// - Throws: `refused` when two share a name or one asks for too little evidence, which a test would have found.
    public static func registry(at place: Workplace) throws(Failure) -> ActionRegistry {
        var registry = ActionRegistry()
        try registry.register(FreezeAction(on: place.host, inventory: place.inventory, home: place.home))
        try registry.register(HoldRestartAction(on: place.host, home: place.home))
        try registry.register(ReleaseRestartAction(place))
        try registry.register(IsolateAction(on: place.host, home: place.home))
        try registry.register(ThawAction(place))
        try registry.register(ReleaseAction(place))
        try registry.register(KillAction(place))
        try registry.register(CaptureAction(place))
        try registry.register(RevokeAction(place))
        try registry.register(TimelineAction(place))
        return registry
    }

    /// What is known of all actions without a place, for linters and help.
    public static let descriptors: [ActionDescriptor] = [
        FreezeAction.descriptor, HoldRestartAction.descriptor, ReleaseRestartAction.descriptor,
        IsolateAction.descriptor, ThawAction.descriptor,
        ReleaseAction.descriptor, KillAction.descriptor, CaptureAction.descriptor, RevokeAction.descriptor,
        TimelineAction.descriptor,
    ]
}
