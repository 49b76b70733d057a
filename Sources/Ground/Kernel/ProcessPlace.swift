public import Base

extension StatNumbers {
    /// Whether the whole process has ended: its first thread is a zombie, and the others are gone too.
    public var isDead: Bool { isZombie && threads <= 1 }

    /// Whether only the first thread has ended, and others live: a living process (RT5).
    public var isHeadless: Bool { isZombie && threads > 1 }
}

extension ProcessDirectory {
    /// Where the process runs: one list of lines, or one for each living thread when the first has ended. The kernel
    /// leaves a thread that has ended in the group in which it ended, wherever the others go, so the process's own file
    /// tells nothing then (RT5). Empty when every thread has ended meanwhile.
    public func places(isHeadless: Bool) throws(Failure) -> [[CgroupLine]] {
        guard isHeadless else { return [try cgroups()] }
        var places: [[CgroupLine]] = []
        for thread in try threadIDs() {
            do throws(Failure) {
                guard try !threadStat(thread).numbers.isZombie else { continue }
                places.append(try threadCgroups(thread))
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return places
    }

    /// The same of a pinned process; empty when it has ended.
    public static func places(
        of pin: ProcessPin,
        isHeadless: Bool,
        on host: Host
    ) throws(Failure) -> [[CgroupLine]] {
        do throws(Failure) {
            return try ProcessDirectory(pin, on: host).places(isHeadless: isHeadless)
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
            return []
        }
    }
}

extension CgroupPathSet {
    /// Whether a line is at or below one of the paths.
    public func matches(_ lines: [CgroupLine]) -> Bool {
        lines.contains { line in
            groups.contains { line.hierarchy == $0.hierarchy && line.path.isAtOrBelow($0.path) }
        }
    }
}
