import Base
import Glibc
import Kernel

/// The mounts of one process whose files another process or another machine serves: whoever asks for anything there waits
/// for the answer (RT7). The types are those of the mount table, which the kernel writes.
struct ServedMounts: Sendable {
    private let mounts: [Mount]

    /// Takes those of a table that are served. Where the host's own table is asked, what other machines serve is not
    /// meant: no session can mount it there, and a workspace may lie on it.
    init(_ table: MountTable, ofTheHost: Bool) {
        mounts = table.entries.filter { ServedMounts.isServed($0.type, ofTheHost: ofTheHost) }
    }

    /// Whether files of that type of file system are served.
    static func isServed(_ type: String, ofTheHost: Bool = false) -> Bool {
        if type == "fuse" || type == "fuseblk" || type.hasPrefix("fuse.") { return true }
        let remote = ["9p", "nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "autofs", "virtiofs", "coda", "orangefs"]
        return !ofTheHost && remote.contains(type)
    }

    /// Why a path is not to be touched; `nil` when nothing on the way to it is served. What another mount hides counts,
    /// too: to know what hides it one would have to look.
    func objection(to path: BytePath) -> String? {
        guard let mount = mounts.first(where: { path.isAtOrBelow($0.mountPoint) }) else { return nil }
        return
            "\(mount.type) is mounted at \(mount.mountPoint), and whoever serves it may not answer: it is not touched"
    }
}

/// Says of paths whether asking for them may hang, each mount table read once.
final class ServedPaths {
    private let host: Host
    private let reader = ImpatientReader()
    private var known: [ProcessPin?: Result<ServedMounts, Failure>] = [:]

    /// Asks that machine.
    init(on host: Host) { self.host = host }

    /// - Throws: `refused` when the way to a path, below the root of `inside` when there is one, leads over a mount that is
    ///   served; why the mounts cannot be told.
    func refuse(_ path: BytePath, inside: ProcessPin?) throws(Failure) {
        guard let objection = try mounts(of: inside).objection(to: path) else { return }
        throw Failure(.refused, "look at a place of the session's", on: "\(path)", because: objection)
    }

    private func mounts(of pin: ProcessPin?) throws(Failure) -> ServedMounts {
        if let known = known[pin] { return try known.get() }
        let found: Result<ServedMounts, Failure>
        do throws(Failure) { found = .success(try read(pin)) } catch { found = .failure(error) }
        known[pin] = found
        return try found.get()
    }

    private func read(_ pin: ProcessPin?) throws(Failure) -> ServedMounts {
        let host = self.host
        let ours = MountTable(parsing: try ProcessDirectory(getpid(), on: host).whole("mountinfo", limit: 64 << 20))
        guard let pin else { return ServedMounts(ours, ofTheHost: true) }
        let (table, root) = try reader.ask("read the mounts", on: "\(pin.pid)") { () throws(Failure) in
            let process = try ProcessDirectory(pin, on: host)
            let prefix = try process.prefixOfLiving()
            let table = MountTable(parsing: try process.whole(prefix + "mountinfo", limit: 64 << 20))
            return (table, try FileNode(prefix + "root", of: process).facts.mount)
        }
        // A root that is no mount point is on a mount that the table of its process does not list.
        guard let root, !table.entries.contains(where: { $0.id == Int32(truncatingIfNeeded: root) }) else {
            return ServedMounts(table, ofTheHost: false)
        }
        guard let mount = ours.entries.first(where: { $0.id == Int32(truncatingIfNeeded: root) }),
            !ServedMounts.isServed(mount.type, ofTheHost: true)
        else {
            throw Failure(
                .refused,
                "look below the root of a process",
                on: "\(pin.pid)",
                because: "its root lies on a mount of which nobody tells whether somebody serves it"
            )
        }
        return ServedMounts(table, ofTheHost: false)
    }
}

extension ImpatientReader {
    /// What `body` gives, or throws, on a thread that may be left behind.
    func ask<Answer: Sendable>(
        _ what: String,
        on subject: String,
        _ body: @escaping @Sendable () throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        let answer = try read(what, on: subject) { () -> Result<Answer, Failure> in
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try answer.get()
    }
}
