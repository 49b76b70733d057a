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
        socket = try StreamSocket.connect(toUnixSocket: path)
        let peer = try socket.peerCredentials()
        guard peer.pid == process.pid else {
            throw Failure(
                .refused,
                "speak to the monitor",
                on: String(decoding: path.bytes, as: UTF8.self),
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

    func pause() throws(Failure) { _ = try execute("stop") }
    func go() throws(Failure) { _ = try execute("cont") }

    /// Events that come in between are passed over.
    private func execute(_ command: String) throws(Failure) -> JSONValue {
        try socket.send(Array("{\"execute\": \"\(command)\"}\r\n".utf8), by: deadline)
        while true {
            let answer = try message()
            if let result = answer["return"] { return result }
            guard answer["error"] == nil else { throw MachineMonitor.unknown(path, "it refuses \(command)") }
        }
    }

    private func message() throws(Failure) -> JSONValue {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[..<end])
                buffer.removeFirst(end + 1)
                if line.allSatisfy({ $0 == 13 || $0 == 32 }) { continue }
                return try JSONReader.read(line, limits: JSONReader.Limits(bytes: MachineMonitor.limit, depth: 32))
            }
            guard taken < MachineMonitor.limit else { throw MachineMonitor.unknown(path, "it does not come to an end") }
            guard !deadline.hasPassed else {
                throw Failure(
                    .timedOut,
                    "speak to the monitor",
                    on: String(decoding: path.bytes, as: UTF8.self),
                    because: "no answer in time"
                )
            }
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
