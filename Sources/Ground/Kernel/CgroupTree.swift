public import Base
internal import Glibc

extension Cgroup {
    /// Calls `body` with this group and with every group below it, parents before children. A group that vanishes
    /// meanwhile is left out. Each is opened from its parent, because a path may be longer than the kernel takes; only two
    /// are open at a time, so that a session that nests them without end does not use up Quell's descriptors.
    public func forEachInTree(_ body: (Cgroup) throws(Failure) -> Void) throws(Failure) {
        _ = try walk(until: nil, body)
    }

    /// The same where a freeze waits for it: at least the first 64 groups, then until the deadline. `false` when there are
    /// more, which is no error.
    public func forEachInTree(
        until deadline: Deadline,
        _ body: (Cgroup) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        try walk(until: deadline, body)
    }

    private func walk(
        until deadline: Deadline?,
        _ body: (Cgroup) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        try body(self)
        var here = self
        // The names that are still to be visited, of this group first and of `here` last.
        var waiting = [try childNames()]
        var seen = 1
        while !waiting.isEmpty {
            guard let name = waiting[waiting.count - 1].popLast() else {
                waiting.removeLast()
                if !waiting.isEmpty { here = try here.above() }
                continue
            }
            if let deadline, seen >= 64, deadline.hasPassed { return false }
            guard let group = try here.child(name) else { continue }
            seen += 1
            try body(group)
            let names = try group.childNames()
            if names.isEmpty { continue }
            waiting.append(names)
            here = group
        }
        return true
    }

    /// Whether no group is below it.
    public func isLeaf() throws(Failure) -> Bool { try childNames().isEmpty }

    private func child(_ name: BytePath) throws(Failure) -> Cgroup? {
        do throws(Failure) {
            let opened = try directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, to: "find the cgroup")
            return try Cgroup(opened, at: path.appending(name), in: hierarchy)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// The group above, also when this one was removed meanwhile.
    private func above() throws(Failure) -> Cgroup {
        let opened = try directory.open(BytePath(".."), O_RDONLY | O_DIRECTORY, to: "find the cgroup above")
        let end = path.bytes.lastIndex(of: UInt8(ascii: "/")) ?? 0
        return try Cgroup(opened, at: BytePath(end == 0 ? [UInt8(ascii: "/")] : path.bytes[..<end]), in: hierarchy)
    }

    /// The names of the groups right below this one; none when it is gone.
    public func childNames() throws(Failure) -> [BytePath] {
        do throws(Failure) {
            // A directory has two links and one more for each child, so most groups need no listing.
            var facts = stat()
            if fstat(directory.number, &facts) == 0, facts.st_nlink == 2 { return [] }
            return try directory.subdirectories(of: path)
        } catch {
            if error.code == .notFound { return [] }
            throw error
        }
    }
}
