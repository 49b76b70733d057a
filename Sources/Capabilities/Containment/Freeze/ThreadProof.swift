internal import Base
internal import Kernel

/// Looks at each thread of a v2 group by itself, where the kernel has no one word for the whole: tasks that a v1 freezer
/// holds leave the v2 trap, so a group of which some are paused there never says frozen.
struct ThreadProof {
    private let host: Host
    private let paused: [CgroupPin]

    /// Takes those of the session's v1 groups that are frozen now; one that is gone holds nothing.
    init(covered: [CgroupPin], on host: Host) throws(Failure) {
        self.host = host
        var paused: [CgroupPin] = []
        for pin in covered {
            do throws(Failure) {
                if try FreezerControl(Cgroup(pin, on: host)).current() == .frozen { paused.append(pin) }
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
            }
        }
        self.paused = paused
    }

    /// Whether each thread of the group is held, by a v1 freezer or by the v2 one. Without a paused v1 group only the
    /// kernel's word on the whole counts, and this is `false`.
    func holds(_ group: Cgroup) throws(Failure) -> Bool {
        guard !paused.isEmpty else { return false }
        return try stuck(in: group).isEmpty
    }

    /// Whether the group is frozen now, by the kernel's word or thread by thread.
    func isFrozen(_ group: Cgroup) throws(Failure) -> Bool {
        if try FreezerControl(group).current() == .frozen { return true }
        return try holds(group)
    }

    /// Threads that neither sleep in a freezer nor have ended.
    func stuck(in group: Cgroup) throws(Failure) -> [StuckThread] {
        var found: [StuckThread] = []
        for pid in Set(try group.treeMembers().flatMap(\.pids)).sorted() {
            do throws(Failure) {
                let process = try ProcessDirectory(pid, on: host)
                for thread in try process.threadIDs() {
                    if let stuck = try look(at: thread, of: process) { found.append(stuck) }
                }
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return found
    }

    private func look(at thread: Int32, of process: borrowing ProcessDirectory) throws(Failure) -> StuckThread? {
        do throws(Failure) {
            let stat = try process.threadStat(thread)
            if stat.numbers.isZombie { return nil }
            if !paused.isEmpty, isPaused(try process.threadCgroups(thread)) { return nil }
            let wait = process.threadWait(thread)
            if ThreadProof.channels.contains(wait.channel) { return nil }
            return StuckThread(process.pid, thread, stat, wait)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private func isPaused(_ lines: [CgroupLine]) -> Bool {
        lines.contains { line in
            paused.contains { $0.hierarchy == line.hierarchy && line.path.isAtOrBelow($0.path) }
        }
    }

    /// Where in the kernel a thread sleeps that a freezer holds.
    private static let channels: Set<String> = ["get_signal", "do_freezer_trap", "__refrigerator"]
}

extension StuckThread {
    init(_ pid: Int32, _ thread: Int32, _ stat: ProcessStat, _ wait: (channel: String, systemCall: String)) {
        self.init(
            pid: pid,
            thread: thread,
            state: String(decoding: [stat.numbers.state], as: UTF8.self),
            waitChannel: wait.channel,
            systemCall: wait.systemCall
        )
    }
}
