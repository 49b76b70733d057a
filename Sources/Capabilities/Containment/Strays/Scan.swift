internal import Base
internal import Kernel

/// One process as a scan saw it. Numbers only, so that a scan of thousands makes no strings.
struct ScannedProcess: Hashable {
    let pid: Int32
    let startTicks: UInt64
    let parent: Int32
    let session: Int32
    let threads: Int32
    /// Whether a line of its cgroup file is at or below one of the groups that are held.
    let isInside: Bool
    /// Whether a line of its cgroup file is at or below a path of the session in any hierarchy.
    let isMarked: Bool
    /// The inode of its pid namespace; 0 when it was not read.
    let pidNamespace: UInt64
    /// Whether its first thread has ended while others live.
    var isHeadless = false

    var pin: ProcessPin { ProcessPin(pid: pid, startTicks: startTicks) }
    var leadsSession: Bool { session == pid }
}

/// One look at every process of the machine but the kernel's own threads, ordered by pid.
struct Scan {
    var processes: [ScannedProcess] = []

    /// Where the process with that pid stands in `processes`.
    func index(of pid: Int32) -> Int? {
        var low = 0
        var high = processes.count
        while low < high {
            let middle = (low + high) / 2
            if processes[middle].pid < pid { low = middle + 1 } else { high = middle }
        }
        return low < processes.count && processes[low].pid == pid ? low : nil
    }

    func find(_ pid: Int32) -> ScannedProcess? { index(of: pid).map { processes[$0] } }

    func find(_ pin: ProcessPin) -> ScannedProcess? {
        find(pin.pid).flatMap { $0.startTicks == pin.startTicks ? $0 : nil }
    }

    /// The pids from the parent of `pid` up to the first process.
    func ancestors(of pid: Int32) -> [Int32] {
        var found: [Int32] = []
        var current = find(pid)?.parent ?? 0
        while current > 0, found.count < 4096 {
            found.append(current)
            current = find(current)?.parent ?? 0
        }
        return found
    }
}

/// What a scan looks for.
struct ScanPaths {
    /// The groups whose members are held.
    var held: [CgroupPin] = []
    /// The groups of the session in every hierarchy.
    var session: [CgroupLine] = []
    /// Whether pid namespaces must be read.
    var readsNamespaces = true
}

/// Makes scans with one set of buffers. Every process costs one read of stat and one of cgroup (one a living thread
/// when the first has ended); the pid namespace is read once for a process and kept; kernel threads cost their stat only.
struct ScanMaker: ~Copyable {
    private let host: Host
    private let scanner: ProcessScanner
    private let ownNamespace: UInt64

    init(_ host: Host) {
        self.host = host
        scanner = ProcessScanner(host)
        ownNamespace = scanner.ownNamespace(.pid) ?? 0
    }

    func scan(_ paths: ScanPaths, after previous: Scan?) throws(Failure) -> Scan {
        let look = ScanLook(
            host: host,
            held: CgroupPathSet(paths.held.map { CgroupLine(hierarchy: $0.hierarchy, path: $0.path) }),
            session: CgroupPathSet(paths.session),
            readsNamespaces: paths.readsNamespaces,
            ownNamespace: ownNamespace,
            previous: previous
        )
        return Scan(
            processes: try ProcessReaders(host).read(try scanner.pids()) { scanner, pid throws(Failure) in
                try look.process(pid, scanner)
            }
        )
    }

    /// The name and the numbers of one process, or `nil` when it is gone or another one has its pid.
    func stat(of pin: ProcessPin) -> ProcessStat? {
        scanner.namedStat(of: pin.pid).flatMap { $0.pin == pin ? $0 : nil }
    }
}

/// How a scan looks at one process.
private struct ScanLook: Sendable {
    let host: Host
    let held: CgroupPathSet
    let session: CgroupPathSet
    let readsNamespaces: Bool
    let ownNamespace: UInt64
    let previous: Scan?

    /// `nil` for who is gone or dead, and for a thread of the kernel.
    func process(_ pid: Int32, _ scanner: borrowing ProcessScanner) throws(Failure) -> ScannedProcess? {
        guard let numbers = scanner.stat(of: pid), !numbers.isKernelThread, !numbers.isDead else { return nil }
        guard let place = try place(of: pid, numbers, scanner) else { return nil }
        let known = previous?.find(ProcessPin(pid: pid, startTicks: numbers.startTicks))?.pidNamespace
        let namespace = known ?? (readsNamespaces ? scanner.namespace(.pid, of: pid) ?? 0 : 0)
        return ScannedProcess(
            pid: pid,
            startTicks: numbers.startTicks,
            parent: numbers.parent,
            session: numbers.session,
            threads: numbers.threads,
            isInside: place.isInside,
            isMarked: place.isMarked,
            pidNamespace: namespace == ownNamespace ? 0 : namespace,
            isHeadless: numbers.isHeadless
        )
    }

    /// Whether the process stands in held groups, and whether in those of the session; `nil` when it is gone. It is held
    /// only where every living thread is: who is seen with none is just changing them.
    private func place(
        of pid: Int32,
        _ numbers: StatNumbers,
        _ scanner: borrowing ProcessScanner
    ) throws(Failure) -> (isInside: Bool, isMarked: Bool)? {
        guard numbers.isHeadless else {
            return scanner.withFile("cgroup", of: pid) { bytes in
                bytes.map { (held.matches($0), session.matches($0)) }
            }
        }
        let pin = ProcessPin(pid: pid, startTicks: numbers.startTicks)
        let places = try ProcessDirectory.places(of: pin, isHeadless: true, on: host)
        let isInside = !places.isEmpty && places.allSatisfy { held.matches($0) }
        return (isInside, places.contains { session.matches($0) })
    }
}
