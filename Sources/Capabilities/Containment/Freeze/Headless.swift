internal import Base
internal import Kernel

/// Processes whose first thread has ended while others live. A v2 group lists them where that thread ended and nowhere
/// else, and `cgroup.kill` does nothing to them, so whoever asks who is in a group asks for them besides (RT5).
struct Headless {
    /// Those of which every living thread stands in the groups.
    private(set) var whole: Set<ProcessPin> = []
    /// Those of which a living thread stands in the groups.
    private(set) var any: Set<ProcessPin> = []
    /// All that were looked at.
    let all: Set<ProcessPin>

    init(_ candidates: some Sequence<ProcessPin>, in groups: [Cgroup], on host: Host) throws(Failure) {
        let paths = CgroupPathSet(groups.map(\.line))
        all = Set(candidates)
        for pin in all {
            let places = try ProcessDirectory.places(of: pin, isHeadless: true, on: host)
            guard places.contains(where: { paths.matches($0) }) else { continue }
            any.insert(pin)
            if places.allSatisfy({ paths.matches($0) }) { whole.insert(pin) }
        }
    }

    /// Looks at every process of the machine.
    init(in groups: [Cgroup], on host: Host) throws(Failure) {
        let scanner = ProcessScanner(host)
        let stats = try scanner.pids().compactMap { scanner.namedStat(of: $0) }
        try self.init(stats.filter(\.numbers.isHeadless).map(\.pin), in: groups, on: host)
    }

    /// The pids that groups list, without those whose threads stand elsewhere, and with those whose threads stand there.
    func correct(_ listed: Set<Int32>) -> Set<Int32> {
        listed.subtracting(all.map(\.pid)).union(whole.map(\.pid))
    }
}
