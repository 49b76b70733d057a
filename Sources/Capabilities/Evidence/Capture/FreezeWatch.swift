public import Base
import Kernel

/// Whether the session stood still from the start of a capture to its seal (RT28).
public struct Stillness: Hashable, Sendable, Codable {
    /// When it was looked at first.
    public let first: Instant
    /// When it was looked at last, right before the seal.
    public let last: Instant
    /// Threads that were compared.
    public let threads: Int
    /// What moved: threads that ran, came or went, cgroups that were not frozen, trees that changed. Empty: unbroken.
    public let breaks: [String]
    /// What each cgroup that holds the session had used when it was looked at last; a hierarchy that does not tell (v1)
    /// has none.
    public let times: [GroupTime]

    /// Whether nothing moved.
    public var isUnbroken: Bool { breaks.isEmpty }
}

/// Compares what the kernel says of a frozen session at two moments: whether each cgroup is frozen and what CPU time it
/// used, which threads there are, and how long each of them has run (schedstat).
struct FreezeWatch {
    /// How many breaks are told one by one.
    static let mostBreaks = 32

    private struct Sight {
        let moment: Instant
        var cpu: [CgroupPin: UInt64] = [:]
        /// Nanoseconds on a CPU, by thread.
        var ran: [ThreadPin: UInt64] = [:]
        var problems: [String] = []
    }

    private struct ThreadPin: Hashable {
        let process: ProcessPin
        let thread: Int32
    }

    private let cgroups: [CgroupPin]
    private let subjects: [CaptureSubject]
    private let host: Host
    private let first: Sight

    /// Looks for the first time. `cgroups` are those that hold the session frozen.
    init(cgroups: [CgroupPin], subjects: [CaptureSubject], on host: Host) {
        self.cgroups = cgroups
        self.subjects = subjects
        self.host = host
        first = FreezeWatch.look(cgroups, subjects, host)
    }

    /// Looks again and compares.
    func compare() -> Stillness {
        let last = FreezeWatch.look(cgroups, subjects, host)
        var breaks: [String] = []
        for problem in first.problems { breaks.append("at the start: \(problem)") }
        for problem in last.problems where !first.problems.contains(problem) {
            breaks.append("at the seal: \(problem)")
        }
        for (pin, used) in last.cpu {
            if let before = first.cpu[pin], before != used {
                breaks.append(
                    "cgroup inode \(pin.inode) of \(pin.hierarchy) used \(used &- before) microseconds of CPU time"
                )
            }
        }
        for (thread, ran) in last.ran {
            guard let before = first.ran[thread] else {
                breaks.append("thread \(thread.thread) of process \(thread.process.pid) is new")
                continue
            }
            if before != ran {
                breaks.append("thread \(thread.thread) of process \(thread.process.pid) ran \(ran &- before) ns")
            }
        }
        for thread in first.ran.keys where last.ran[thread] == nil {
            breaks.append("thread \(thread.thread) of process \(thread.process.pid) is gone")
        }
        let told = breaks.sorted()
        let more = told.count - FreezeWatch.mostBreaks
        return Stillness(
            first: first.moment,
            last: last.moment,
            threads: last.ran.count,
            breaks: Array(told.prefix(FreezeWatch.mostBreaks)) + (more > 0 ? ["and \(more) more"] : []),
            times: cgroups.compactMap { pin in last.cpu[pin].map { GroupTime(group: pin, microseconds: $0) } }
        )
    }

    private static func look(_ cgroups: [CgroupPin], _ subjects: [CaptureSubject], _ host: Host) -> Sight {
        var sight = Sight(moment: Instant.now())
        var known = Set(subjects.map(\.pin.pid))
        for pin in cgroups {
            do throws(Failure) {
                let cgroup = try Cgroup(pin, on: host)
                let state = try FreezerControl(cgroup).current()
                if state != .frozen {
                    sight.problems.append("cgroup inode \(pin.inode) of \(pin.hierarchy) is \(state.rawValue)")
                }
                sight.cpu[pin] = try cgroup.cpuMicroseconds()
                let strangers = try cgroup.processes().filter { known.insert($0).inserted }
                for stranger in strangers {
                    sight.problems.append("process \(stranger) stands in the cgroup and was not known")
                }
            } catch {
                sight.problems.append("cgroup inode \(pin.inode) of \(pin.hierarchy): \(error)")
            }
        }
        for subject in subjects where subject.membership != .guest { look(at: subject.pin, &sight, host) }
        return sight
    }

    private static func look(at pin: ProcessPin, _ sight: inout Sight, _ host: Host) {
        do throws(Failure) {
            let process = try ProcessDirectory(pin, on: host)
            for thread in try process.threadIDs() {
                let text = try process.whole("task/\(thread)/schedstat", limit: 4096)
                let digits = text.prefix { $0 != UInt8(ascii: " ") }
                guard let ran = UInt64(String(decoding: digits, as: UTF8.self)) else { continue }
                sight.ran[ThreadPin(process: pin, thread: thread)] = ran
            }
        } catch {
            sight.problems.append("process \(pin.pid): \(error)")
        }
    }
}
