import Base
import CParked
import Glibc
import Kernel

/// The status that the kernel gives for a message queue: `QSIZE:129 NOTIFY:2 SIGNO:0 NOTIFY_PID:8260`. Source:
/// mq_overview(7).
struct QueueStatus: Hashable, Sendable {
    /// Bytes of all messages in it.
    let bytes: UInt64
    let line: String

    /// `nil` for a text of another form.
    init?(parsing text: [UInt8]) {
        let line = String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard line.hasPrefix("QSIZE:"), let bytes = UInt64(line.dropFirst(6).prefix { $0 >= "0" && $0 <= "9" }) else {
            return nil
        }
        self.bytes = bytes
        self.line = line
    }
}

/// POSIX message queues of the session's IPC namespaces, seen through a mount of Quell's own that stands nowhere: a
/// session need not have mounted them to use them.
struct PosixQueues {
    /// Queues of one namespace that are listed.
    static let mostQueues = 16_384

    private struct Queue: Sendable {
        let name: BytePath
        let mode: UInt32
        let uid: UInt32
        let gid: UInt32
        let status: QueueStatus?
    }

    private let parked: ParkedItem

    init(_ parked: ParkedItem) { self.parked = parked }

    func collect() throws(Failure) -> CollectionItem {
        var item = ParkedKind.queues.item
        var isRead = false
        let own = ParkedItem.ownSpace(.ipc, on: parked.host)
        for space in parked.processes.parking.ipcSpaces {
            let queues: (found: [Queue], leftOut: Int)
            let host = parked.host
            do throws(Failure) {
                queues = try parked.ask("list message queues", on: "IPC namespace \(space.inode)") {
                    () throws(Failure) in
                    try PosixQueues.list(space, on: host)
                }
            } catch {
                item = item.missed("IPC namespace \(space.inode)", error)
                continue
            }
            if !queues.found.isEmpty { isRead = true }
            let isShared = own == nil || own == space.inode
            for queue in queues.found where !isShared || parked.processes.parking.uids.contains(queue.uid) {
                try parked.tell(.queues, line(of: queue, in: space))
                if let bytes = queue.status?.bytes, bytes > 0 {
                    item = item.partial(
                        "messages stand in queues such as \(queue.name): \(bytes) bytes that the kernel gives only to who "
                            + "takes them out"
                    )
                }
            }
            item = item.lacking(queues.leftOut)
        }
        if isRead {
            let touched = "to read the status of a queue sets its access and change times"
            item.reason = (item.reason.map { $0 + "; " } ?? "") + touched
        }
        return item
    }

    private static func list(
        _ space: ProcessParking.Space,
        on host: Host
    ) throws(Failure) -> (found: [Queue], leftOut: Int) {
        try SystemVSpace.enter(space, on: host)
        let mounted = quell_parked_mount_queues()
        let path = BytePath("mqueue")
        guard mounted >= 0 else { throw Failure(errno: errno, "mount the message queues", on: path) }
        // The mount is held by O_PATH: what lists it is opened through it.
        let folder = try Descriptor(adopting: mounted).open(BytePath("."), O_RDONLY | O_DIRECTORY)
        var names: [BytePath] = []
        var leftOut = 0
        try folder.forEachEntry(of: path) { name, _ throws(Failure) in
            if names.count < mostQueues { names.append(BytePath(name)) } else { leftOut += 1 }
        }
        var found: [Queue] = []
        for name in names {
            var facts = stat()
            let looked = name.withCString { fstatat(folder.number, $0, &facts, AT_SYMLINK_NOFOLLOW) }
            guard looked == 0 else { continue }
            let queue = try folder.open(name, O_RDONLY | O_NONBLOCK)
            found.append(
                Queue(
                    name: name,
                    mode: facts.st_mode & 0o7777,
                    uid: facts.st_uid,
                    gid: facts.st_gid,
                    status: QueueStatus(parsing: try queue.readToEnd(limit: 256, from: name))
                )
            )
        }
        return (found, leftOut)
    }

    private func line(of queue: Queue, in space: ProcessParking.Space) -> JSONObject {
        var line = JSONObject()
        line["namespace"] = .integer(Int64(clamping: space.inode))
        line["name"] = queue.name.json
        line["mode"] = .string("0" + String(queue.mode, radix: 8))
        line["uid"] = .integer(Int64(queue.uid))
        line["gid"] = .integer(Int64(queue.gid))
        line["status"] = queue.status.map { .string($0.line) }
        line["bytes"] = queue.status.map { .integer(Int64(clamping: $0.bytes)) }
        return line
    }
}
