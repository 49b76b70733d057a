import Base
import Kernel

/// A private pid namespace with everybody in it.
struct Cell {
    /// The program that started it, when it started nothing else; else the first process inside.
    let leader: Relative
    /// Everybody inside.
    let sharers: [Int32: Lineage]
    /// What runs it, told by the name of the program that started it; `nil` when nothing tells.
    let runtime: SessionRuntime.Kind?
}

extension SessionLook {
    /// The private pid namespace that a process is in, or that it alone started: so that every process of a bubblewrap or
    /// firejail session, the outer one too, leads to the same session.
    mutating func cell(around named: Relative, in family: Family) -> Cell? {
        guard let shared = privateNamespace(of: named.pin) ?? startedNamespace(by: named, in: family)
        else { return nil }
        var inside: [Int32: Relative] = [:]
        for (pid, relative) in family.relatives where namespace(of: relative.pin) == shared { inside[pid] = relative }
        guard let first = Family(relatives: inside).leader(excluding: []) else { return nil }
        let sharers = inside.mapValues { _ in Lineage.pidNamespace }
        guard let launcher = family.relatives[first.parent], inside[first.parent] == nil,
            let kind = SandboxLauncher.kind(named: launcher.name),
            // One that listens (nsjail -Ml) starts many, which are sessions of their own.
            family.children(of: launcher).allSatisfy({ inside[$0.pin.pid] != nil })
        else { return Cell(leader: first, sharers: sharers, runtime: nil) }
        return Cell(leader: launcher, sharers: sharers, runtime: kind)
    }

    /// The pid namespace of what a launcher started, when that is one namespace and not the launcher's own.
    private mutating func startedNamespace(by named: Relative, in family: Family) -> UInt64? {
        guard SandboxLauncher.kind(named: named.name) != nil else { return nil }
        let started = Set(family.children(of: named).compactMap { namespace(of: $0.pin) })
        guard started.count == 1, let only = started.first, only != namespace(of: named.pin) else { return nil }
        return only
    }
}

extension Family {
    /// The children of a process that have not ended.
    fileprivate func children(of parent: Relative) -> [Relative] {
        relatives.values.filter { $0.parent == parent.pin.pid && $0.state != UInt8(ascii: "Z") }
    }
}
