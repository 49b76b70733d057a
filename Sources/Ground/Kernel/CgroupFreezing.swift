public import Base
internal import Glibc

/// What a group's freezer says.
public enum FreezerState: String, Sendable, Codable {
    /// Runs.
    case thawed
    /// Was asked to freeze and is not there yet.
    case freezing
    /// The kernel says that every task is frozen.
    case frozen
}

/// The control files of one group's freezer, opened before they are needed, so that a freeze is one write and reads.
public final class FreezerControl: Sendable {
    /// The group.
    public let cgroup: Cgroup
    private let request: Descriptor
    private let state: Descriptor

    /// Opens the files for reading and writing. The root has none: ``Base/Failure/Code/notFound``.
    public init(_ cgroup: Cgroup) throws(Failure) {
        self.cgroup = cgroup
        request = try cgroup.open(cgroup.hierarchy.isUnified ? "cgroup.freeze" : "freezer.state", O_RDWR)
        state = try cgroup.open(cgroup.hierarchy.isUnified ? "cgroup.events" : "freezer.state", O_RDONLY)
    }

    /// Asks for freezing. Returns when the kernel has taken the request, not when all is frozen.
    public func freeze() throws(Failure) { try write(cgroup.hierarchy.isUnified ? "1" : "FROZEN") }

    /// Asks for thawing. A group below a frozen one stays frozen; that is not an error.
    public func thaw() throws(Failure) { try write(cgroup.hierarchy.isUnified ? "0" : "THAWED") }

    private func write(_ text: String) throws(Failure) {
        do throws(Failure) {
            try request.writeOnce(text, to: cgroup.path, attempt: "write \(text) to the freezer")
        } catch {
            throw cgroup.onThisGroup(error)
        }
    }

    /// What was asked of this very group: v2 cgroup.freeze, v1 freezer.self_freezing.
    public func isRequested() throws(Failure) -> Bool {
        if cgroup.hierarchy.isUnified { return try read(request).first == UInt8(ascii: "1") }
        return try cgroup.contents("freezer.self_freezing").first == UInt8(ascii: "1")
    }

    /// The effective state, its own or inherited from above.
    public func current() throws(Failure) -> FreezerState {
        let bytes = try read(state)
        if cgroup.hierarchy.isUnified {
            if FlatKeyed.has("frozen 1", in: bytes) { return .frozen }
            return try isRequested() ? .freezing : .thawed
        }
        if bytes.starts(with: "FROZEN".utf8) { return .frozen }
        return bytes.starts(with: "FREEZING".utf8) ? .freezing : .thawed
    }

    /// Whether there is a process in the group or below it: `populated` of cgroup.events; on v1 the lists are read, and a
    /// group that vanishes meanwhile holds nobody.
    public func isPopulated() throws(Failure) -> Bool {
        if cgroup.hierarchy.isUnified { return FlatKeyed(try read(state))["populated"] == 1 }
        var isPopulated = false
        try cgroup.forEachInTree { group throws(Failure) in
            if !isPopulated { isPopulated = try !group.threads().isEmpty }
        }
        return isPopulated
    }

    /// Waits until the state is `wanted`: re-reads for 20 ms, then polls for a notice, because the kernel gives at most
    /// one notice in 10 ms. `false` when the deadline passed first, which is not an error; the request stays.
    public func wait(for wanted: FreezerState, until deadline: Deadline) throws(Failure) -> Bool {
        try wait(until: deadline) { () throws(Failure) in try current() == wanted }
    }

    /// Waits until nothing is left in the group, as above. A group that was removed meanwhile, as a runtime does with that
    /// of a container that died, is empty.
    public func waitUntilEmpty(until deadline: Deadline) throws(Failure) -> Bool {
        try wait(until: deadline) { () throws(Failure) in
            do throws(Failure) {
                return try !isPopulated()
            } catch {
                guard error.code == .notFound else { throw error }
                return true
            }
        }
    }

    private func wait(until deadline: Deadline, _ isDone: () throws(Failure) -> Bool) throws(Failure) -> Bool {
        let eager = Deadline(after: .milliseconds(20))
        var rounds = 0
        while true {
            if try isDone() { return true }
            if deadline.hasPassed { return false }
            rounds += 1
            if !eager.hasPassed {
                // The write has done the work for sleepers; running tasks need the CPU that a spin would take.
                if rounds > 3 { usleep(rounds < 20 ? 100 : 500) }
            } else {
                awaitNotice(until: deadline)
            }
        }
    }

    /// Sleeps until the kernel tells of a change, 50 ms or the deadline. v1 has no notices: 2 ms.
    private func awaitNotice(until deadline: Deadline) {
        guard cgroup.hierarchy.isUnified else {
            usleep(2000)
            return
        }
        var watched = pollfd(fd: state.number, events: Int16(POLLPRI), revents: 0)
        _ = poll(&watched, 1, min(50, max(1, deadline.pollTimeout)))
    }

    private func read(_ file: borrowing Descriptor) throws(Failure) -> [UInt8] {
        do throws(Failure) {
            return try file.readAgain(from: cgroup.path)
        } catch {
            throw cgroup.onThisGroup(error)
        }
    }
}

extension Cgroup {
    /// Kills every process of the group and below it: v2 `cgroup.kill`. Needs no thaw. v1 has no such file.
    public func killAll() throws(Failure) { try write("1", to: "cgroup.kill") }
}
