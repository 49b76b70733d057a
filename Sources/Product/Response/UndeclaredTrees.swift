import Base
import Evidence
import Glibc
import Kernel
import Sessions

/// What to preserve of a session that the inventory says nothing about: the working directory of its leader and the folders
/// of the transcripts it holds open. Only what is plainly the session's own: never a folder that holds the system's or other
/// people's files, never one of another owner (RT24), and only paths that mean the same here as in the session.
///
/// Reads what can block or be watched (RT7, RT13): for captures, never before a freeze.
struct UndeclaredTrees {
    private let host: Host
    private let store: BytePath

    /// `store` is Quell's own folder, which is no evidence.
    init(on host: Host, store: BytePath) {
        self.host = host
        self.store = store
    }

    /// The leader's working directory.
    ///
    /// - Throws: `notFound` with the reason in words when it is not one that may be taken, or the leader has ended.
    func workspace(of leader: ProcessPin?) throws(Failure) -> BytePath {
        guard let leader else { throw none("the session has no leader") }
        let process = try ProcessDirectory(leader, on: host)
        guard try sharesOurPaths(process) else { throw none("the session has a file system of its own") }
        guard let path = try process.workingDirectory() else { throw none("its leader has ended") }
        if let objection = try objection(to: path, of: process) { throw none(objection) }
        return path
    }

    /// The folders of transcripts that the processes hold open, each once, sorted.
    func transcripts(of pins: [ProcessPin]) -> (folders: [BytePath], failures: [Failure]) {
        var folders = Set<BytePath>()
        var failures: [Failure] = []
        for pin in pins {
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                guard try sharesOurPaths(process) else { continue }
                // By their links alone: whoever asks a file that the session serves itself waits for it (RT7).
                for target in try process.descriptorLinks() where target.isTranscript {
                    if try objection(to: target.parent, of: process) == nil { folders.insert(target.parent) }
                }
            } catch {
                if error.code != .notFound && error.code != .changed { failures.append(error) }
            }
        }
        return (folders.sorted(), failures)
    }

    /// Whether a path of the process names the same file for us.
    private func sharesOurPaths(_ process: borrowing ProcessDirectory) throws(Failure) -> Bool {
        let ours = try ProcessDirectory(getpid(), on: host)
        guard try process.namespace(.mount) == ours.namespace(.mount) else { return false }
        return try process.rootDirectory() == ours.rootDirectory()
    }

    /// Why a folder is not taken; `nil` when it is.
    private func objection(to path: BytePath, of process: borrowing ProcessDirectory) throws(Failure) -> String? {
        guard SessionFolder.isOfOneSession(path) else {
            return "it works in \(path), which holds more than one session"
        }
        guard !store.components.starts(with: path.components) else {
            return "it works in \(path), above Quell's own store"
        }
        let user = try process.status().uids.first
        return try owner(of: path) == user ? nil : "it works in \(path), which belongs to another user"
    }

    /// Whom a folder belongs to: asked only where nobody serves it, and on a thread that may be left behind (RT7).
    private func owner(of path: BytePath) throws(Failure) -> UInt32 {
        guard let facts = try SessionFolder.facts(of: path, on: host) else {
            throw Failure(errno: ENOENT, "look at the working directory", on: path)
        }
        return facts.uid
    }

    private func none(_ reason: String) -> Failure {
        Failure(.notFound, "find the workspace", on: "the session", because: reason)
    }
}
