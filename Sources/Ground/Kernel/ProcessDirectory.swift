public import Base
internal import Glibc

/// One process, by its open directory in Quell's procfs: once it has ended, every read fails with
/// ``Base/Failure/Code/notFound``, whoever has its pid then.
///
/// Everything in this file may be read before a freeze; what can block stands in ProcessDetails.swift (RT7).
public struct ProcessDirectory: ~Copyable, Sendable {
    /// The pid in Quell's pid namespace.
    public let pid: Int32
    let directory: Descriptor

    /// What a failure to find a process calls what was tried.
    public static let finding = "find the process"

    /// Opens the process. A pid that does not exist is ``Base/Failure/Code/notFound``.
    public init(_ pid: Int32, on host: Host) throws(Failure) {
        self.pid = pid
        directory = try host.proc.descriptor.open(
            BytePath(String(pid)),
            O_RDONLY | O_DIRECTORY,
            to: ProcessDirectory.finding
        )
    }

    /// Opens the process and checks its start time; another one under the same pid is ``Base/Failure/Code/changed``.
    public init(_ pin: ProcessPin, on host: Host) throws(Failure) {
        self.pid = pin.pid
        directory = try ProcessDirectory.open(pin, on: host)
    }

    private static func open(_ pin: ProcessPin, on host: Host) throws(Failure) -> Descriptor {
        let found = try ProcessDirectory(pin.pid, on: host)
        guard try found.stat().numbers.startTicks == pin.startTicks else {
            throw Failure(.changed, finding, on: String(pin.pid), because: "the pid was used again")
        }
        return try found.directory.duplicate()
    }

    /// /proc/PID/stat.
    public func stat() throws(Failure) -> ProcessStat {
        guard let stat = ProcessStat(parsing: try read("stat")) else {
            throw Failure(.malformed, "read the stat of a process", on: String(pid), because: "not of the known form")
        }
        return stat
    }

    /// /proc/PID/status.
    public func status() throws(Failure) -> ProcessStatus { ProcessStatus(parsing: try read("status")) }

    /// Where the process stands, one line a hierarchy.
    public func cgroups() throws(Failure) -> [CgroupLine] { CgroupLine.parse(try read("cgroup")) }

    /// The inode of a namespace, or `nil` when the process has none any more (it is a zombie).
    ///
    /// - Throws: `notPermitted` when it may not be looked at, which says nothing about where the process is.
    public func namespace(_ kind: NamespaceKind) throws(Failure) -> UInt64? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = readlinkat(directory.number, "ns/" + kind.rawValue, &buffer, buffer.count)
        guard count > 0 else {
            let number = errno
            if number == ENOENT { return nil }
            throw Failure(errno: number, "read a namespace of a process", on: BytePath("\(pid)/ns/\(kind.rawValue)"))
        }
        // "pid:[4026531836]"
        let digits = buffer[..<count].drop { $0 != UInt8(ascii: "[") }.dropFirst().prefix { $0 != UInt8(ascii: "]") }
        return Decimal.uint64(digits)
    }

    /// The thread ids, the leader's included as long as anything of the process is there.
    public func threadIDs() throws(Failure) -> [Int32] {
        let path = BytePath("task")
        let task = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the threads of process \(pid)")
        return try task.numbers(in: path)
    }

    /// /proc/PID/task/TID/stat.
    public func threadStat(_ thread: Int32) throws(Failure) -> ProcessStat {
        guard let stat = ProcessStat(parsing: try read("task/\(thread)/stat")) else {
            throw Failure(.malformed, "read the stat of a thread", on: String(thread), because: "not of the known form")
        }
        return stat
    }

    /// Where one thread stands; on v1 it may be elsewhere than its process (RT5).
    public func threadCgroups(_ thread: Int32) throws(Failure) -> [CgroupLine] {
        CgroupLine.parse(try read("task/\(thread)/cgroup"))
    }

    /// Where in the kernel a thread sleeps, and in which system call, as text; empty where the kernel does not tell.
    public func threadWait(_ thread: Int32) -> (channel: String, systemCall: String) {
        func text(_ name: String) -> String {
            do throws(Failure) {
                let bytes = try read("task/\(thread)/\(name)")
                return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            } catch {
                return ""
            }
        }
        return (text("wchan"), text("syscall"))
    }

    func read(_ name: String, limit: Int = 1 << 20) throws(Failure) -> [UInt8] {
        let path = BytePath(name)
        do throws(Failure) {
            let file = try directory.open(path, O_RDONLY, to: "read \(name) of a process")
            return try file.readToEnd(limit: limit, from: path)
        } catch {
            throw Failure(
                error.code,
                "read \(name) of a process",
                on: String(pid),
                because: error.reason,
                errno: error.errno
            )
        }
    }
}

/// The kinds of namespaces, by their names in /proc/PID/ns. Source: namespaces(7).
public enum NamespaceKind: String, Sendable, CaseIterable, Codable {
    /// Mounts.
    case mount = "mnt"
    /// Process ids.
    case pid
    /// The network.
    case network = "net"
    /// Users.
    case user
    /// System V and POSIX IPC.
    case ipc
    /// Host names.
    case uts
    /// Cgroup roots.
    case cgroup
}
