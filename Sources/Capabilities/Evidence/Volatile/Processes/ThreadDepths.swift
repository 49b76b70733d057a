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
    /// What could not be read of it, or is longer than what is read.
    private(set) var gaps: [Failure] = []
    /// Files that this kernel was built without.
    private(set) var lacking: [String] = []

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

    /// Reads one thread; of one that has ended there is nothing to tell, which is no gap.
    init(of thread: Int32, _ process: borrowing ProcessDirectory) {
        guard let stat = bytes("stat", of: thread, process, ThreadDepths.mostStack) else {
            lacking = []
            return
        }
        scheduling = Scheduling(parsing: stat)
        if scheduling == nil {
            let reason = "not of the known form"
            gaps.append(Failure(.malformed, "read the scheduling of a thread", on: "\(thread)", because: reason))
        }
        waitChannel = text("wchan", of: thread, process)
        systemCall = text("syscall", of: thread, process)
        if let status = bytes("status", of: thread, process, ProcessReading.mostStatus) {
            affinity = StatusFacts(parsing: status).affinity
        }
        stack = (bytes("stack", of: thread, process, ThreadDepths.mostStack) ?? [])
            .split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        // It ended between the first look and the last: what is missing is missing of nothing.
        if !lacking.isEmpty, hasEnded(thread, process) { lacking = [] }
    }

    private mutating func text(_ name: String, of thread: Int32, _ process: borrowing ProcessDirectory) -> String {
        let line = bytes(name, of: thread, process, ThreadDepths.mostStack)?.prefix { $0 != UInt8(ascii: "\n") }
        return String(decoding: line ?? [], as: UTF8.self)
    }

    /// A file of the thread; `nil` when it could not be read, which then is a gap, and when it is not there.
    private mutating func bytes(
        _ name: String,
        of thread: Int32,
        _ process: borrowing ProcessDirectory,
        _ most: Int
    ) -> [UInt8]? {
        do throws(Failure) {
            let (bytes, cut) = try process.bounded("task/\(thread)/\(name)", limit: most)
            if let cut { gaps.append(cut) }
            return bytes
        } catch {
            if error.code == .notFound { lacking.append(name) } else { gaps.append(error) }
            return nil
        }
    }

    private func hasEnded(_ thread: Int32, _ process: borrowing ProcessDirectory) -> Bool {
        do throws(Failure) {
            _ = try process.bounded("task/\(thread)/stat", limit: ThreadDepths.mostStack)
            return false
        } catch {
            return error.code == .notFound
        }
    }

    func describe(in line: inout JSONObject) {
        if !waitChannel.isEmpty, waitChannel != "0" { line["waitChannel"] = .string(waitChannel) }
        if !systemCall.isEmpty { line["systemCall"] = .string(systemCall) }
        if !stack.isEmpty { line["stack"] = .array(stack.map(JSONValue.string)) }
        line["affinity"] = affinity.map(JSONValue.string)
        scheduling?.describe(in: &line)
        if !gaps.isEmpty { line["gaps"] = .array(gaps.map { .string($0.description) }) }
        if !lacking.isEmpty { line["kernelLacks"] = .array(lacking.map(JSONValue.string)) }
    }
}
