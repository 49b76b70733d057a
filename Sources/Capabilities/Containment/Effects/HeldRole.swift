public import Base

/// As what a process outside of a session is held in a frozen group of Quell's: a thaw lets supervisors go, a release lets
/// carriers go.
public enum HeldRole: Sendable {
    /// It could start the session again or kill it, or is joined to it.
    case supervisor
    /// It carries the session's network.
    case carrier

    func holding(_ process: ProcessPin, from: CgroupPin, into: CgroupPin) -> ContainmentEffect {
        switch self {
        case .supervisor: .hold(process: process, from: from, into: into)
        case .carrier: .holdCarrier(process: process, from: from, into: into)
        }
    }
}

extension ContainmentEffect {
    /// Who this effect holds in that role, where it stood, and in which group of Quell's it is; `nil` for any other effect.
    public func held(as role: HeldRole) -> (process: ProcessPin, origin: CgroupPin, group: CgroupPin)? {
        switch (self, role) {
        case (.hold(let process, let from, let into), .supervisor): (process, from, into)
        case (.holdCarrier(let process, let from, let into), .carrier): (process, from, into)
        default: nil
        }
    }
}
