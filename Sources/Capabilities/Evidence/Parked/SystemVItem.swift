import Base
import Bundles
import Glibc
import Kernel

/// System V shared memory, semaphores and message queues of the session's IPC namespaces. In the namespace that Quell
/// stands in too, only what the session's users own or its processes touched is the session's.
struct SystemVItem {
    /// How the three kinds ended.
    struct Endings {
        var segments = ParkedKind.segments.item
        var semaphores = ParkedKind.semaphores.item
        var messages = ParkedKind.messages.item
    }

    private let parked: ParkedItem
    private var parking: ProcessParking { parked.processes.parking }

    init(_ parked: ParkedItem) { self.parked = parked }

    func collect() throws(Failure) -> Endings {
        var endings = Endings()
        for space in parking.ipcSpaces {
            let found: SystemVSpace
            let isWanted = wanted(in: space)
            let host = parked.host
            do throws(Failure) {
                found = try parked.ask("read System V IPC", on: "IPC namespace \(space.inode)") { () throws(Failure) in
                    try SystemVSpace(space, on: host, isWanted: isWanted)
                }
            } catch {
                endings.segments = endings.segments.missed("IPC namespace \(space.inode)", error)
                endings.semaphores = endings.semaphores.missed("IPC namespace \(space.inode)", error)
                endings.messages = endings.messages.missed("IPC namespace \(space.inode)", error)
                continue
            }
            try tell(found, of: space, isWanted, &endings)
        }
        return endings
    }

    /// Which objects of a namespace are the session's.
    private func wanted(in space: ProcessParking.Space) -> @Sendable (SystemVTable.Row) -> Bool {
        let own = ParkedItem.ownSpace(.ipc, on: parked.host)
        let isShared = own == nil || own == space.inode
        let uids = parking.uids
        let pids = parking.pids
        return { row in
            guard isShared else { return true }
            let owners = ["uid", "cuid"].compactMap { row[$0] }.map { UInt32(truncatingIfNeeded: $0) }
            let users = ["cpid", "lpid", "lspid", "lrpid"].compactMap { row[$0] }.map { Int32(truncatingIfNeeded: $0) }
            return owners.contains(where: uids.contains) || users.contains(where: pids.contains)
        }
    }

    private func tell(
        _ found: SystemVSpace,
        of space: ProcessParking.Space,
        _ isWanted: (SystemVTable.Row) -> Bool,
        _ endings: inout Endings
    ) throws(Failure) {
        for row in found.segments.rows {
            let segment = ProcessParking.Segment(
                namespace: space.inode,
                id: UInt64(bitPattern: row["shmid"] ?? -1)
            )
            guard isWanted(row) || parking.attached[segment] != nil else { continue }
            let ended = try content(of: row, in: space)
            try tell(.segments, row, space, ended)
            if ended.outcome != .collected {
                endings.segments = endings.segments.partial("content of a segment: \(ended.reason ?? "")")
            }
        }
        for row in found.semaphores.rows where isWanted(row) { try tell(.semaphores, row, space, nil) }
        for row in found.messages.rows where isWanted(row) {
            let ended = try content(of: row, found.copies[row["msqid"] ?? -1], in: space)
            try tell(.messages, row, space, ended)
            if ended.outcome != .collected {
                endings.messages = endings.messages.partial("content of a queue: \(ended.reason ?? "")")
            }
        }
        endings.segments = endings.segments.lacking(found.segments.leftOut)
        endings.semaphores = endings.semaphores.lacking(found.semaphores.leftOut)
        endings.messages = endings.messages.lacking(found.messages.leftOut)
    }

    private func tell(
        _ kind: ParkedKind,
        _ row: SystemVTable.Row,
        _ space: ProcessParking.Space,
        _ content: CollectionItem?
    ) throws(Failure) {
        var line = row.line
        line["namespace"] = .integer(Int64(clamping: space.inode))
        line["member"] = content?.member.map(JSONValue.string)
        try parked.tell(kind, line)
    }

    /// A segment's content: through a process that has it attached, else attached for reading by Quell itself.
    private func content(of row: SystemVTable.Row, in space: ProcessParking.Space) throws(Failure) -> CollectionItem {
        guard let id = row["shmid"] else { return ParkedKind.segments.item.partial("a row without an id") }
        let planned = CollectionItem(.parked, path: BytePath("\(ParkedKind.segments.rawValue)/\(space.inode)/\(id)"))
        let found: (node: HeldFolder, own: SystemVSpace.Attached?)
        do throws(Failure) {
            found = try reach(id, in: space)
        } catch {
            let item = planned.failed(error)
            try parked.record(item)
            return item
        }
        defer { if let own = found.own { SystemVSpace.detach(own) } }
        var item = try copy(found.node, to: try parked.nextName(), planned)
        if found.own != nil, item.reason == nil {
            item.reason = "nobody had it attached: Quell did, which changed its attach and detach times and last pid"
        }
        try parked.record(item)
        return item
    }

    private func reach(
        _ id: Int64,
        in space: ProcessParking.Space
    ) throws(Failure) -> (node: HeldFolder, own: SystemVSpace.Attached?) {
        let host = parked.host
        let segment = ProcessParking.Segment(namespace: space.inode, id: UInt64(bitPattern: id))
        if let holder = parking.attached[segment] {
            let process = try ProcessDirectory(holder.pin, on: host)
            return (HeldFolder(try FileNode(holder.link, of: process)), nil)
        }
        let own = try parked.ask("attach a segment", on: "\(id)") { () throws(Failure) in
            try SystemVSpace.attach(id, in: space, on: host)
        }
        do throws(Failure) {
            return (HeldFolder(try FileNode(own.link, of: try ProcessDirectory(getpid(), on: host))), own)
        } catch {
            SystemVSpace.detach(own)
            throw error
        }
    }

    private func copy(
        _ held: HeldFolder,
        to name: PayloadName,
        _ planned: CollectionItem
    ) throws(Failure) -> CollectionItem {
        do throws(Failure) {
            return try parked.copier.copy(held.node, to: name, grows: false, planned)
        } catch {
            guard error.errno == EAGAIN else { throw error }
            return planned.failed(error)
        }
    }

    /// A queue's messages as JSON lines.
    private func content(
        of row: SystemVTable.Row,
        _ copies: Result<[SystemVSpace.Message], Failure>?,
        in space: ProcessParking.Space
    ) throws(Failure) -> CollectionItem {
        let id = row["msqid"] ?? -1
        var item = CollectionItem(.parked, path: BytePath("\(ParkedKind.messages.rawValue)/\(space.inode)/\(id)"))
        switch copies {
        case nil: item = item.failed(Failure(.notFound, "copy", on: "queue \(id)", because: "it was not copied"))
        case .failure(let failure): item = item.failed(failure)
        case .success(let messages):
            let lines = messages.flatMap { message in
                CanonicalJSON.bytes(of: [
                    "type": .integer(Int64(message.type)), "length": .integer(Int64(message.bytes.count)),
                    "bytes": .string(Base64.encode(message.bytes)),
                ]) + [UInt8(ascii: "\n")]
            }
            if !parked.copier.budget.take(UInt64(lines.count)) {
                item = item.skipped("over the budget: \(lines.count) bytes")
            } else {
                let name = try parked.nextName()
                try parked.copier.writer.write(name, lines)
                item.member = name.text
                let missing = (row["qnum"] ?? 0) - Int64(messages.count)
                if missing > 0 { item = item.partial("\(missing) messages are not copied") }
            }
        }
        try parked.record(item)
        return item
    }
}

extension CollectionItem {
    /// The same item without what stands in a place that could not be read.
    func missed(_ place: String, _ failure: Failure) -> CollectionItem {
        partial("\(place): \(failure)", errno: failure.errno)
    }

    /// The same item without some rows of a table.
    func lacking(_ rows: Int) -> CollectionItem { rows > 0 ? partial("\(rows) rows are not told") : self }
}

extension ParkedItem {
    /// The inode of Quell's own namespace of that kind; `nil` when it cannot be told.
    static func ownSpace(_ kind: NamespaceKind, on host: Host) -> UInt64? {
        do throws(Failure) { return try ProcessDirectory(getpid(), on: host).namespace(kind) } catch { return nil }
    }
}
