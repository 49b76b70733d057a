public import Base
internal import CLinux
internal import Glibc

/// What kind of v2 cgroup this is, `cgroup.type`.
public enum CgroupType: String, Sendable, Codable {
    /// A normal one; also every v1 group and the root.
    case domain
    /// The root of a threaded subtree.
    case domainThreaded = "domain threaded"
    /// A domain below a threaded one: it can hold nothing.
    case domainInvalid = "domain invalid"
    /// Holds threads of processes that belong to an ancestor.
    case threaded
}

extension Cgroup {
    /// The type; a file that does not exist (root, v1) means ``CgroupType/domain``.
    public func type() throws(Failure) -> CgroupType {
        guard hierarchy.isUnified, !isRoot else { return .domain }
        let bytes = try contents("cgroup.type")
        let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard let type = CgroupType(rawValue: text) else {
            throw Failure(.malformed, "read the type of the cgroup", on: path.description, because: "unknown: \(text)")
        }
        return type
    }

    /// The nearest ancestor, or this group itself, that is a domain: freezing a threaded group would stop only some
    /// threads, so acts go here.
    public func domain() throws(Failure) -> Cgroup {
        var group = self
        while try group.type() == .threaded { group = try Cgroup(group.path.parent, in: hierarchy) }
        return group
    }

    /// The pids of the processes of this very group, without its children. May be empty. For a threaded group, where the
    /// kernel refuses, this is the ``Base/Failure`` of EOPNOTSUPP.
    public func processes() throws(Failure) -> [Int32] { try numbers("cgroup.procs") }

    /// Which of these processes stand in this group, as the kernel tells of each without a lock that others could keep busy
    /// and without a list of all the others. `nil` where that is not to be had: a kernel before 6.13, a v1 group, a group
    /// with others below it.
    public func members(among pids: [Int32]) throws(Failure) -> [Int32]? {
        guard hierarchy.isUnified, hierarchy.window != .recorded, try isLeaf() else { return nil }
        var found: [Int32] = []
        for pid in pids {
            let inode = quell_cgroup_inode(pid)
            if inode == 0 { return nil }
            if inode == self.inode { found.append(pid) }
        }
        return found
    }

    /// The ids of the threads of this very group.
    public func threads() throws(Failure) -> [Int32] {
        try numbers(hierarchy.isUnified ? "cgroup.threads" : "tasks")
    }

    /// The number of threads of this very group, counted without making a list.
    public func threadCount() throws(Failure) -> Int {
        try contents(hierarchy.isUnified ? "cgroup.threads" : "tasks").count { $0 == UInt8(ascii: "\n") }
    }

    private func numbers(_ name: String) throws(Failure) -> [Int32] {
        let bytes = try contents(name)
        var found: [Int32] = []
        var start = 0
        for end in bytes.indices where bytes[end] == UInt8(ascii: "\n") {
            if let number = Decimal.int32(bytes[start..<end]) { found.append(number) }
            start = end + 1
        }
        return found
    }

    /// Moves a process with all its threads into this group. The pid is written as it is: hold the process by ``PidFD``
    /// before and check it after. ESRCH is ``Base/Failure/Code/notFound``: the process has ended.
    public func adopt(_ pid: Int32) throws(Failure) {
        let file = try open("cgroup.procs", O_WRONLY)
        try file.writeOnce(String(pid), to: path, attempt: "move process \(pid) into the cgroup")
    }

    /// Moves one thread into this group; v1 by `tasks`, v2 by `cgroup.threads` within a threaded subtree.
    public func adoptThread(_ thread: Int32) throws(Failure) {
        let file = try open(hierarchy.isUnified ? "cgroup.threads" : "tasks", O_WRONLY)
        try file.writeOnce(String(thread), to: path, attempt: "move thread \(thread) into the cgroup")
    }

    /// The CPU time that the group has used, in microseconds, from cpu.stat (v2) or cpuacct; `nil` where it is not told.
    public func cpuMicroseconds() throws(Failure) -> UInt64? {
        guard hierarchy.isUnified else { return nil }
        do throws(Failure) {
            return FlatKeyed(try contents("cpu.stat"))["usage_usec"]
        } catch {
            if error.code == .notFound, stillExists() { return nil }
            throw error
        }
    }
}

/// Files of the form `key value` a line, such as cgroup.events and cpu.stat.
public struct FlatKeyed: Hashable, Sendable {
    private let values: [String: UInt64]

    /// Parses the bytes; lines of another form are left out.
    public init(_ bytes: some Collection<UInt8>) {
        var values: [String: UInt64] = [:]
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count == 2, let value = Decimal.uint64(words[1]) else { continue }
            values[String(decoding: words[0], as: UTF8.self)] = value
        }
        self.values = values
    }

    /// Whether one of the lines is exactly that, told without making a dictionary: a freeze asks until it is.
    static func has(_ line: StaticString, in bytes: [UInt8]) -> Bool {
        let wanted = UnsafeRawBufferPointer(start: line.utf8Start, count: line.utf8CodeUnitCount)
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            if bytes[start..<end].elementsEqual(wanted) { return true }
            start = end + 1
        }
        return false
    }

    /// The value of a key, or `nil`.
    public subscript(key: String) -> UInt64? { values[key] }
}
