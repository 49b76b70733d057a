import Base

/// One line of data/processes.jsonl as reviews read it; every text in it is hostile.
public struct SeenProcess: Hashable, Sendable {
    /// The process id and its start time: together they name a process within one life of the machine.
    public struct Key: Hashable, Sendable, Comparable {
        /// Process id.
        public let pid: Int64
        /// Clock ticks since the machine began.
        public let startTicks: Int64

        /// Orders by start, then by number.
        public static func < (left: Key, right: Key) -> Bool {
            (left.startTicks, left.pid) < (right.startTicks, right.pid)
        }
    }

    /// Which.
    public let key: Key
    /// The parent's process id.
    public let parent: Int64?
    /// The real user id.
    public let uid: Int64?
    /// The name that it gave itself.
    public let name: String
    /// Its arguments, one space between two.
    public let arguments: String
    /// What it executes.
    public let executable: String
    /// Where it works.
    public let workingDirectory: String
    /// `member`, `stray`, `guest`.
    public let membership: String

    init?(_ line: JSONValue) {
        guard let pid = line["pid"]?.integer else { return nil }
        key = Key(pid: pid, startTicks: line["startTicks"]?.integer ?? 0)
        parent = line["ppid"]?.integer
        uid = line["uid"]?.integer
        name = SeenProcess.text(line["comm"])
        arguments = (line["argv"]?.array ?? []).map(SeenProcess.text).joined(separator: " ")
        executable = SeenProcess.text(line["exe"])
        workingDirectory = SeenProcess.text(line["cwd"])
        membership = SeenProcess.text(line["membership"])
    }

    /// A string, or the escaped bytes of one that is not UTF-8. Never escaped otherwise: whoever prints it does.
    static func text(_ value: JSONValue?) -> String {
        if let text = value?.string { return text }
        guard let bytes = value?["bytes"]?.string.flatMap(Base64.decode) else { return "" }
        return Escaped.terminal(BytePath(bytes))
    }

    /// The names of what is different in `other`.
    func changes(to other: SeenProcess) -> [String] {
        var names: [String] = []
        if parent != other.parent { names.append("parent") }
        if uid != other.uid { names.append("user") }
        if name != other.name { names.append("name") }
        if arguments != other.arguments { names.append("arguments") }
        if executable != other.executable { names.append("executable") }
        if workingDirectory != other.workingDirectory { names.append("working directory") }
        if membership != other.membership { names.append("membership") }
        return names
    }
}

/// One line of data/sockets.jsonl as reviews read it.
public struct SeenSocket: Hashable, Sendable {
    /// `tcp`, `udp`, `unix` and so on.
    public let transport: String
    /// The state in the kernel's words.
    public let state: String
    /// The own end; of unix sockets the name, hostile.
    public let local: String
    /// The other end; empty when there is none.
    public let remote: String
    /// Processes that hold it.
    public let holders: [Int64]
    /// Bytes sent and received, when the kernel counts them.
    public let sent: Int64?
    /// Bytes received.
    public let received: Int64?
    /// What names the socket within one life of the machine: cookie or inode.
    public let key: String

    /// Whether it is one of the host's own, between processes.
    public var isLocal: Bool { transport == "unix" }

    init?(_ line: JSONValue) {
        guard let kind = line["kind"]?.string else { return nil }
        let inode = line["inode"]?.string ?? ""
        holders = Array(Set((line["holders"]?.array ?? []).compactMap { $0["pid"]?.integer })).sorted()
        sent = line["bytesSent"]?.integer ?? line["bytesAcknowledged"]?.integer
        received = line["bytesReceived"]?.integer
        if kind == "unix" {
            transport = "unix"
            state = line["listening"]?.bool == true ? "listening" : "open"
            local = SeenProcess.text(line["name"])
            remote = line["peer"]?.string.map { "inode \($0)" } ?? ""
            key = "unix \(inode)"
        } else {
            transport = line["transport"]?.string ?? kind
            state = line["state"]?.string ?? ""
            local = line["local"]?.string ?? ""
            remote = line["remote"]?.string ?? ""
            key = "\(transport) \(line["cookie"]?.string ?? inode) \(local) \(remote)"
        }
    }
}
