internal import Base
internal import Kernel

/// A process that carries what network namespaces send through a tap.
struct TapCarrier {
    let process: ProcessStat
    /// The namespaces of its taps, by inode.
    let namespaces: Set<UInt64>
}

/// Finds the processes that carry what a network namespace sends through a tap: slirp4netns, pasta, a VMM. The kernel is
/// asked which namespace the interface behind a descriptor is in; names decide nothing.
struct TapCarriers {
    private let host: Host

    init(on host: Host) { self.host = host }

    /// Those of any of these namespaces, by pid. A process that ends meanwhile, or that may not be looked into, is none.
    ///
    /// - Throws: when a process cannot be looked into for another reason: it may be one.
    func find(of wanted: Set<UInt64>) throws(Failure) -> [TapCarrier] {
        let scanner = ProcessScanner(host)
        var found: [TapCarrier] = []
        for pid in try scanner.pids().sorted() where pid != ProcessScanner.ownPid {
            guard let stat = scanner.namedStat(of: pid), !stat.numbers.isKernelThread else { continue }
            let namespaces = try namespaces(of: stat.pin)
            guard !namespaces.isDisjoint(with: wanted) else { continue }
            found.append(TapCarrier(process: stat, namespaces: namespaces))
        }
        return found
    }

    /// None for who has ended, and for who hides from root, as a guarded first process does.
    private func namespaces(of pin: ProcessPin) throws(Failure) -> Set<UInt64> {
        do throws(Failure) {
            let taps = try ProcessDirectory(pin, on: host).tapDescriptors()
            guard !taps.isEmpty else { return [] }
            let handle = try PidFD(pin, on: host)
            return Set(taps.compactMap { namespace(of: $0, handle) })
        } catch {
            guard error.isOfEndedProcess || error.code == .changed || error.code == .notPermitted else { throw error }
            return []
        }
    }

    /// `nil` for one that is closed by now, or has no interface yet.
    private func namespace(of tap: Int32, _ handle: borrowing PidFD) -> UInt64? {
        do throws(Failure) {
            return try handle.tapNamespace(of: tap)
        } catch {
            return nil
        }
    }
}

extension SocketFinding {
    /// Why a means that hits a whole network namespace would hit others; `nil` when only the session stands in it.
    func sharers(of namespace: UInt64, besides carriers: Set<Int32> = [], on host: Host) throws(Failure) -> String? {
        let spared = carriers.union(members.map(\.pid))
        let scanner = ProcessScanner(host)
        let others = try scanner.pids().filter {
            !spared.contains($0) && scanner.namespace(.network, of: $0) == namespace
                && scanner.stands(in: places, pid: $0) == false
        }
        guard let first = others.min() else { return nil }
        return others.count == 1 ? "process \(first) shares it" : "\(others.count) processes share it"
    }
}
