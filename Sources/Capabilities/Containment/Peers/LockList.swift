internal import Kernel

/// The locks on files of the machine, found by what is asked for: a session can hold tens of thousands.
struct LockList {
    /// A lock without who waits for it, which only the list of the machine tells.
    private struct Key: Hashable {
        let kind: String
        let file: String
        let pid: Int32?

        init(_ lock: FileLock) {
            kind = lock.kind
            file = lock.file
            pid = lock.pid
        }
    }

    /// Which locks were told already.
    struct Told {
        private struct File: Hashable {
            let kind: String
            let file: String
        }

        private var locks: Set<FileLock> = []
        private var files: Set<File> = []

        /// Whether this very lock is new.
        mutating func insert(_ lock: FileLock) -> Bool {
            files.insert(File(kind: lock.kind, file: lock.file))
            return locks.insert(lock).inserted
        }

        /// Whether no lock of that kind on that file was told.
        mutating func insert(fileOf lock: FileLock) -> Bool {
            guard files.insert(File(kind: lock.kind, file: lock.file)).inserted else { return false }
            locks.insert(lock)
            return true
        }
    }

    private var waiting: [Key: Int] = [:]
    private var byTaker: [Int32: [FileLock]] = [:]

    init(_ locks: [FileLock]) {
        for lock in locks {
            if waiting[Key(lock)] == nil { waiting[Key(lock)] = lock.waiting }
            if let pid = lock.pid { byTaker[pid, default: []].append(lock) }
        }
    }

    /// How many wait for it.
    func waiting(for lock: FileLock) -> Int { waiting[Key(lock)] ?? 0 }

    /// Those that a process took.
    func taken(by pid: Int32) -> [FileLock] { byTaker[pid] ?? [] }
}
