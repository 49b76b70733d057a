internal import Base
internal import Kernel

/// Finds the processes that carry what a network namespace sends through a tap: slirp4netns, pasta, a VMM. The kernel is
/// asked which namespace the interface behind a descriptor is in; names decide nothing.
struct TapCarriers {
    private let host: Host

    init(on host: Host) { self.host = host }

    /// Those of a namespace, `members` left out. A process that ends meanwhile, or that may not be looked into, is none.
    func find(of namespace: UInt64, besides members: Set<Int32>) throws(Failure) -> [ProcessStat] {
        let scanner = ProcessScanner(host)
        var found: [ProcessStat] = []
        for pid in try scanner.pids().sorted() where !members.contains(pid) && pid != ProcessScanner.ownPid {
            guard let stat = scanner.namedStat(of: pid), !stat.numbers.isKernelThread else { continue }
            if carries(stat.pin, namespace) { found.append(stat) }
        }
        return found
    }

    private func carries(_ pin: ProcessPin, _ namespace: UInt64) -> Bool {
        do throws(Failure) {
            let taps = try ProcessDirectory(pin, on: host).tapDescriptors()
            guard !taps.isEmpty else { return false }
            let handle = try PidFD(pin, on: host)
            for tap in taps where try handle.tapNamespace(of: tap) == namespace { return true }
            return false
        } catch {
            return false
        }
    }
}
