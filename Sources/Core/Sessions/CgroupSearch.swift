import Base
import Kernel

/// Looks for cgroups by their paths in the hierarchies that hold, for a limited time: a session may make more of them than
/// a freeze can wait for.
struct CgroupSearch {
    let host: Host
    let patience: Duration

    /// The paths that are wanted, each once though it may stand in two hierarchies, and whether all cgroups were looked at.
    func paths(where isWanted: (BytePath) -> Bool) throws(Failure) -> (paths: [BytePath], isWhole: Bool) {
        let deadline = Deadline(after: patience)
        var found: Set<BytePath> = []
        var isWhole = true
        for hierarchy in [host.unified, host.freezer].compactMap({ $0 }) {
            let top = try Cgroup(BytePath("/"), in: hierarchy)
            let isDone = try top.forEachInTree(until: deadline) { group throws(Failure) in
                if isWanted(group.path) { found.insert(group.path) }
            }
            isWhole = isWhole && isDone
        }
        return (found.sorted(), isWhole)
    }

    /// Where not all were looked at, the one that was found may not be the one that is meant.
    static func cutShort(_ name: String, _ commands: [String]) -> Failure {
        Failure(
            .timedOut,
            "find the session",
            on: name,
            because: "there are more cgroups than could be looked at in time, so that another one may have that name",
            hint: commands.isEmpty ? "quell sessions" : commands.joined(separator: "\n")
        )
    }
}
