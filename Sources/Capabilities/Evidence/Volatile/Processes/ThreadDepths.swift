import Base
import Glibc
import Kernel

/// What a thread waits for and how it is scheduled. Reading it asks for the same lock as execve(2), so it is read on a
/// thread of its own that may be left behind (RT7).
struct ThreadDepths: Sendable {
    /// Threads of one process that are looked at so closely; the others are told with name, state and place.
    static let mostThreads = 2048
    /// Bytes of one kernel stack.
    private static let mostStack = 16_384

    private(set) var waitChannel = ""
    private(set) var systemCall = ""
    private(set) var stack: [String] = []
    private(set) var affinity: String?
    private(set) var scheduling: Scheduling?
    /// What is longer than what is read of it.
    private(set) var cut: Failure?

    /// Fields 18, 19, 39, 40 and 41 of a stat file. Source: proc_pid_stat(5), sched(7).
    struct Scheduling: Hashable, Sendable {
        let priority: Int64
        let nice: Int64
        let lastProcessor: Int64
        let realTimePriority: Int64
        let policy: Int64

        /// `nil` when the file has not the documented form; the name may hold anything, so fields count from its end.
        init?(parsing bytes: [UInt8]) {
            guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
            let fields = bytes[(close + 1)...].split { $0 <= UInt8(ascii: " ") }
                .map { Int64(String(decoding: $0, as: UTF8.self)) }
            guard fields.count > 38, let priority = fields[15], let nice = fields[16], let processor = fields[36],
                let realTime = fields[37], let policy = fields[38]
            else { return nil }
            self.priority = priority
            self.nice = nice
            lastProcessor = processor
            realTimePriority = realTime
            self.policy = policy
        }

        private static let policies = ["other", "fifo", "rr", "batch", "iso", "idle", "deadline", "ext"]

        func describe(in line: inout JSONObject) {
            let isKnown = policy >= 0 && policy < Int64(Scheduling.policies.count)
            line["policy"] = .string(isKnown ? Scheduling.policies[Int(policy)] : String(policy))
            line["priority"] = .integer(priority)
            line["nice"] = .integer(nice)
            line["lastProcessor"] = .integer(lastProcessor)
            if realTimePriority != 0 { line["realTimePriority"] = .integer(realTimePriority) }
        }
    }

    /// Reads the threads of the process that `pin` names, as many as `deadline` allows.
    ///
    /// - Throws: `notFound` when it is gone, `changed` when its pid was used again.
    static func read(
        _ pin: ProcessPin,
        _ threads: [Int32],
        on host: Host,
        by deadline: Deadline
    ) throws(Failure) -> [Int32: ThreadDepths] {
        let process = try ProcessDirectory(pin, on: host)
        var found: [Int32: ThreadDepths] = [:]
        for thread in threads.prefix(mostThreads) {
            if deadline.hasPassed { break }
            found[thread] = ThreadDepths(of: thread, process)
        }
        return found
    }

    private init(of thread: Int32, _ process: borrowing ProcessDirectory) {
        (waitChannel, systemCall) = process.threadWait(thread)
        // A file that this kernel has not, or that may not be read, is told by the absence of its member.
        affinity = StatusFacts(parsing: bytes("status", of: thread, process, ProcessReading.mostStatus)).affinity
        scheduling = Scheduling(parsing: bytes("stat", of: thread, process, ThreadDepths.mostStack))
        stack = bytes("stack", of: thread, process, ThreadDepths.mostStack).split(separator: UInt8(ascii: "\n"))
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private mutating func bytes(
        _ name: String,
        of thread: Int32,
        _ process: borrowing ProcessDirectory,
        _ most: Int
    ) -> [UInt8] {
        do throws(Failure) {
            let (bytes, cut) = try process.bounded("task/\(thread)/\(name)", limit: most)
            self.cut = self.cut ?? cut
            return bytes
        } catch {
            return []
        }
    }

    func describe(in line: inout JSONObject) {
        if !waitChannel.isEmpty, waitChannel != "0" { line["waitChannel"] = .string(waitChannel) }
        if !systemCall.isEmpty { line["systemCall"] = .string(systemCall) }
        if !stack.isEmpty { line["stack"] = .array(stack.map(JSONValue.string)) }
        line["affinity"] = affinity.map(JSONValue.string)
        scheduling?.describe(in: &line)
    }
}
