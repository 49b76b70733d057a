import Base
import Glibc

/// A case that has its folder and its database, and no entry yet: nothing was done in it, and lists pass
/// over it.
public struct NascentCase: Sendable {
    /// Its name.
    public let id: CaseID
    let folder: BytePath
    let database: JournalDatabase
    /// The folder whose entry for it is not on disk yet: brought there with the first entries, because that is one wait for
    /// the disk instead of two.
    var unsynced: BytePath?

    /// Makes the folder the reserve of its store again, or takes it away when there is another one. What cannot be removed
    /// stays as a folder without entries, which is no case.
    func giveBack(to reserve: CaseReserve) {
        do throws(Failure) {
            try database.shut()
            if !reserve.giveBack(folder) { try NascentCase.remove(folder) }
        } catch { return }
    }

    /// Removes a folder with the files of an empty database, and nothing else: a folder with more in it stays.
    ///
    /// - Throws: why it cannot be removed; one that is not there is no error.
    static func remove(_ folder: BytePath) throws(Failure) {
        for name in ["case.sqlite-wal", "case.sqlite-shm", "case.sqlite"] {
            let path = folder.appending(name)
            guard path.withCString({ unlink($0) }) == 0 || errno == ENOENT else {
                throw Failure(errno: errno, "remove the file", on: path)
            }
        }
        guard folder.withCString({ rmdir($0) }) == 0 || errno == ENOENT else {
            throw Failure(errno: errno, "remove the folder", on: folder)
        }
    }
}
