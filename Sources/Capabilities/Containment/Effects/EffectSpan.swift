internal import Glibc

extension ContainmentEffect {
    /// Whether it stands in the kernel's memory alone, holds and changes nothing else, and is heard of by nobody outside this
    /// machine: when the machine loses its power it is gone as if it had never been (docs/decisions/0039).
    public var endsWithMachine: Bool {
        switch self {
        case .freeze, .makeGroup, .move, .moveThread, .attachDrop, .makeHold, .hold, .holdCarrier: true
        case .signal(_, let number): number == SIGSTOP
        // What lets a session run or ends it has effects of its own; files, managers and peers remember the rest.
        case .thaw, .removeGroup, .detachDrop, .killGroup, .letGo, .letCarrierGo, .recordSockets, .destroySockets,
            .beginTrial, .endTrial, .addTable, .removeTable, .holdUnit, .letUnitGo, .stopUnit, .startUnit,
            .quietWatchdog, .wakeWatchdog, .holdEntry, .letEntryGo, .pauseMachine, .continueMachine:
            false
        }
    }
}
