import Base
import Glibc

/// One folder of a case that is made beforehand, empty, whole and on disk, at `<store>/reserve`. Taking it is one rename,
/// where making a folder and a database costs several waits for the disk; beside a process that writes and syncs each of
/// them is about 5 ms. It saves time, not room: on a full disk the emergency record takes over (RT12).
struct CaseReserve {
    private let store: BytePath
    private var folder: BytePath { store.appending("reserve") }
    private var draft: BytePath { store.appending("reserve.new") }

    init(in store: BytePath) { self.store = store }

    /// Makes the reserve the folder of a case. Gives `false` when there is none, or when the name is taken.
    func take(as wanted: BytePath) -> Bool {
        // Of two that take it at once one gets it: for the other there is none.
        guard !StoreFolder.exists(wanted) else { return false }
        return folder.withCString { from in wanted.withCString { to in rename(from, to) } } == 0
    }

    /// Makes the folder of a case that came to nothing the reserve again. Gives `false` when there is another one.
    func giveBack(_ folder: BytePath) -> Bool {
        guard !StoreFolder.exists(self.folder) else { return false }
        return folder.withCString { from in self.folder.withCString { to in rename(from, to) } } == 0
    }

    /// Makes a reserve unless there is one. Another process that does it at the same time is no error.
    ///
    /// - Throws: why it cannot be made; freezes then make their cases anew.
    func fill(busyTimeout: Duration) throws(Failure) {
        guard !StoreFolder.exists(folder) else { return }
        let lock = store.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard lock >= 0 else { throw Failure(errno: errno, "lock the store", on: store) }
        defer { close(lock) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { return }
        try NascentCase.remove(draft)
        do throws(Failure) {
            try StoreFolder.make(draft)
            try makeDatabase(busyTimeout)
            try StoreFolder.sync(draft)
        } catch {
            try NascentCase.remove(draft)
            throw error
        }
        guard draft.withCString({ from in folder.withCString { to in rename(from, to) } }) == 0 else {
            throw Failure(errno: errno, "make the reserve", on: folder)
        }
        try StoreFolder.sync(store)
    }

    /// Closed when it returns, so that nothing of it is left outside its file.
    private func makeDatabase(_ busyTimeout: Duration) throws(Failure) {
        let database = try JournalDatabase(at: draft.appending("case.sqlite"), busyTimeout: busyTimeout)
        try database.syncCommits()
        try database.checkpoint()
    }
}
