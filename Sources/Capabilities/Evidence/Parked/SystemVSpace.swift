import Base
import CParked
import Glibc
import Kernel

/// What one IPC namespace holds of System V, read by a thread that stands in it for that and ends. /proc/sysvipc shows
/// the namespace of its reader; there is no such file of a process.
struct SystemVSpace: Sendable {
    /// Messages of one queue that are copied.
    static let mostMessages: Int64 = 4096

    struct Message: Sendable {
        let type: Int
        let bytes: [UInt8]
    }

    /// A segment that Quell attached to read it.
    struct Attached: Sendable {
        let address: UInt
        /// Below /proc/PID of Quell: the segment as a file, so that holes stay holes and no page is made.
        let link: String
    }

    private(set) var segments = SystemVTable(parsing: [])
    private(set) var semaphores = SystemVTable(parsing: [])
    private(set) var messages = SystemVTable(parsing: [])
    /// Copied messages by the id of their queue, or why there are none.
    private(set) var copies: [Int64: Result<[Message], Failure>] = [:]

    /// Reads the tables, and copies the messages of the queues that `isWanted` names.
    init(
        _ space: ProcessParking.Space,
        on host: Host,
        isWanted: (SystemVTable.Row) -> Bool
    ) throws(Failure) {
        try SystemVSpace.enter(space, on: host)
        segments = try SystemVSpace.table("shm", on: host)
        semaphores = try SystemVSpace.table("sem", on: host)
        messages = try SystemVSpace.table("msg", on: host)
        for row in messages.rows where isWanted(row) {
            guard let id = row["msqid"] else { continue }
            do throws(Failure) {
                copies[id] = .success(try SystemVSpace.copy(id, row["qnum"] ?? 0, row["cbytes"] ?? 0))
            } catch {
                copies[id] = .failure(error)
            }
        }
    }

    /// Why a segment is not attached, by what kernel.shm_rmid_forced says in its namespace; `nil` when it may be. Where
    /// that is on, the detach of whoever had it attached last destroys it (proc_sys_kernel(5)).
    static func refusal(to id: Int64, where forced: [UInt8]) -> Failure? {
        guard Int(String(decoding: forced.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) != 0 else { return nil }
        return Failure(
            .refused,
            "attach a segment",
            on: "\(id)",
            because: "kernel.shm_rmid_forced is on in its namespace: to attach and detach it could destroy it"
        )
    }

    /// Attaches a segment for reading, which changes its attach time and the pid that touched it last.
    ///
    /// - Throws: `refused` where the detach could destroy it.
    static func attach(_ id: Int64, in space: ProcessParking.Space, on host: Host) throws(Failure) -> Attached {
        try enter(space, on: host)
        let rule = BytePath("sys/kernel/shm_rmid_forced")
        let forced = try host.proc.descriptor.open(rule, O_RDONLY).readToEnd(limit: 64, from: rule)
        if let refusal = refusal(to: id, where: forced) { throw refusal }
        let subject = BytePath("System V segment \(id)")
        guard let start = shmat(Int32(truncatingIfNeeded: id), nil, Int32(SHM_RDONLY)), UInt(bitPattern: start) != .max
        else { throw Failure(errno: errno, "attach", on: subject) }
        let address = UInt(bitPattern: start)
        do throws(Failure) {
            let own = try ProcessDirectory(getpid(), on: host)
            for line in try own.whole("maps", limit: MappedFile.mostBytes).split(separator: UInt8(ascii: "\n")) {
                guard let map = MapLine(parsing: line), map.range.hasPrefix(String(address, radix: 16) + "-") else {
                    continue
                }
                return Attached(address: address, link: "map_files/" + map.range)
            }
            throw Failure(.notFound, "find the attached segment", on: "\(subject)", because: "it is not in the maps")
        } catch {
            shmdt(start)
            throw error
        }
    }

    static func detach(_ attached: Attached) { shmdt(UnsafeRawPointer(bitPattern: attached.address)) }

    /// Moves the calling thread, and only it, into the namespace.
    static func enter(_ space: ProcessParking.Space, on host: Host) throws(Failure) {
        let process = try ProcessDirectory(space.pin, on: host)
        let window = try process.open(space.link, O_RDONLY)
        guard quell_parked_enter_ipc(window.number) == 0 else {
            throw Failure(errno: errno, "look into the IPC namespace", on: BytePath("\(space.inode)"))
        }
    }

    private static func table(_ name: String, on host: Host) throws(Failure) -> SystemVTable {
        let path = BytePath("sysvipc/" + name)
        let file = try host.proc.descriptor.open(path, O_RDONLY)
        return SystemVTable(parsing: try file.readToEnd(limit: 16 << 20, from: path))
    }

    /// MSG_COPY leaves messages, times and pids of the queue as they are (msgrcv(2), CONFIG_CHECKPOINT_RESTORE).
    private static func copy(_ id: Int64, _ count: Int64, _ bytes: Int64) throws(Failure) -> [Message] {
        var found: [Message] = []
        let capacity = Int(min(max(bytes, 0), 16 << 20))
        let header = MemoryLayout<Int>.size
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: header + capacity, alignment: 16)
        defer { buffer.deallocate() }
        let flags = Int32(0o40000) | IPC_NOWAIT | Int32(0o10000)  // MSG_COPY, MSG_NOERROR
        for number in 0..<min(count, mostMessages) {
            let length = msgrcv(Int32(truncatingIfNeeded: id), buffer.baseAddress, capacity, Int(number), flags)
            if length < 0, errno == ENOMSG { break }
            guard length >= 0 else { throw Failure(errno: errno, "copy a message", on: BytePath("queue \(id)")) }
            let text = UnsafeRawBufferPointer(rebasing: buffer[header..<header + length])
            found.append(Message(type: buffer.load(as: Int.self), bytes: Array(text)))
        }
        return found
    }
}
