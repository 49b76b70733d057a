public import Base
import Kernel

/// How it is told what a container changed of its image.
public enum PlannedChanges: Hashable, Sendable {
    /// By comparing its upper layer with the layers below it, topmost first.
    case compare(upper: PlannedTree, lowers: [BytePath])
    /// It cannot be told, and why.
    case notPossible(String)
}
