internal import Base
internal import Kernel

/// A conversation with the monitor of a QEMU (QMP), to pause a machine as a second means beside the frozen cgroup of its
/// process. What it says confirms nothing (RT8): a monitor can lie, and one that is frozen does not answer. Every answer is
/// bounded in time and size. Source: QEMU Machine Protocol Specification.
final class MachineMonitor {
    private let socket: StreamSocket
    private let deadline: Deadline
    private let path: BytePath
    private var buffer: [UInt8] = []
    private var taken = 0

    /// How much is read at most in one conversation, in bytes.
    private static let limit = 262_144

    /// Connects and says nothing before the kernel has said who listens: only that process may be spoken to.
    ///
    /// - Throws: `refused` when another process listens, `timedOut`, `malformed` for what is no QMP, or why it cannot be
    ///   connected to.
    init(at path: BytePath, of process: ProcessPin, by deadline: Deadline) throws(Failure) {
        self.path = path
        self.deadline = deadline
        socket = try StreamSocket.connect(toUnixSocket: path, by: deadline)
        let peer = try socket.peerCredentials()
        guard peer.pid == process.pid else {
            throw Failure(
                .refused,
                "speak to the monitor",
                on: text,
                because: "process \(peer.pid) listens there, not \(process.pid)"
            )
        }
        guard try message()["QMP"] != nil else { throw MachineMonitor.unknown(path, "its greeting is not that of QMP") }
        _ = try execute("qmp_capabilities")
    }

    /// Whether the machine runs, by its own word.
    func isRunning() throws(Failure) -> Bool {
        guard let running = try execute("query-status")["running"]?.bool else {
            throw MachineMonitor.unknown(path, "its status has no word of running")
        }
        return running
    }

    /// Once `stop` is sent it may come to pass whenever QEMU comes to it, also after a thaw: then no answer is
    /// ``Base/Failure/Code/timedOut``, which says neither that it is paused nor that it is not.
    func pause() throws(Failure) {
        try send("stop")
        do throws(Failure) {
            guard try answer() != nil else { throw refusal("stop") }
        } catch {
            guard error.code != .refused else { throw error }
            throw late("it was sent `stop`, and nobody can tell whether the machine is paused: \(error.reason)")
        }
    }

    /// Lets the machine run, and believes it only when the monitor says afterwards that it does.
    func go() throws(Failure) {
        _ = try execute("cont")
        guard try isRunning() else { throw late("it says that the machine does not run") }
    }

    private func execute(_ command: String) throws(Failure) -> JSONValue {
        try send(command)
        guard let result = try answer() else { throw refusal(command) }
        return result
    }

    private func send(_ command: String) throws(Failure) {
        try socket.send(Array("{\"execute\": \"\(command)\"}\r\n".utf8), by: deadline)
    }

    /// `nil` for an error. Events that come in between are passed over.
    private func answer() throws(Failure) -> JSONValue? {
        while true {
            let message = try message()
            if let result = message["return"] { return result }
            if message["error"] != nil { return nil }
        }
    }

    private func refusal(_ command: String) -> Failure {
        Failure(.refused, "speak to the monitor", on: text, because: "it refuses \(command)")
    }

    private func late(_ reason: String) -> Failure {
        Failure(.timedOut, "speak to the monitor", on: text, because: reason)
    }

    private var text: String { String(decoding: path.bytes, as: UTF8.self) }

    private func message() throws(Failure) -> JSONValue {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[..<end])
                buffer.removeFirst(end + 1)
                if line.allSatisfy({ $0 == 13 || $0 == 32 }) { continue }
                return try JSONReader.read(line, limits: JSONReader.Limits(bytes: MachineMonitor.limit, depth: 32))
            }
            guard taken < MachineMonitor.limit else { throw MachineMonitor.unknown(path, "it does not come to an end") }
            guard !deadline.hasPassed else { throw late("no answer in time") }
            let bytes = try socket.receive(atMost: 16_384, by: deadline)
            guard !bytes.isEmpty else { throw MachineMonitor.unknown(path, "it hung up") }
            taken += bytes.count
            buffer += bytes
        }
    }

    private static func unknown(_ path: BytePath, _ reason: String) -> Failure {
        Failure(.malformed, "speak to the monitor", on: String(decoding: path.bytes, as: UTF8.self), because: reason)
    }
}

extension MachineMonitor {
    /// One conversation about one question, with a process that is still the pinned one.
    static func ask<Answer>(
        _ process: ProcessPin,
        at path: BytePath,
        on host: Host,
        by deadline: Deadline,
        _ question: (MachineMonitor) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        _ = try ProcessDirectory(process, on: host)
        return try question(try MachineMonitor(at: path, of: process, by: deadline))
    }
}
