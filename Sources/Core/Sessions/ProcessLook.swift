internal import Base
internal import Glibc
internal import Kernel

/// Reads what lists of sessions are made of: processes, and the sockets of their network namespaces.
struct ProcessLook {
    let host: Host
    let deadline: Deadline
    /// What could not be read, in the order of the attempts.
    private(set) var failures: [Failure] = []
    /// Those whose files and namespaces may not be looked at.
    private var closed: Set<Int32> = []

    /// Descriptors that are looked at in one process.
    private static let mostLinks = 16_384
    /// How many processes are named one by one.
    private static let mostNamed = 16
    /// How long arguments are waited for, of all processes together.
    private static let patienceForArguments = Duration.seconds(2)

    init(_ host: Host, by deadline: Deadline) {
        self.host = host
        self.deadline = deadline
    }

    /// What could not be read, each once.
    var distinctFailures: [Failure] {
        var seen: Set<Failure> = []
        return failures.filter { seen.insert($0).inserted }
    }

    mutating func keep(_ failure: Failure) { failures.append(failure) }

    /// Every process of this machine but Quell itself, threads of the kernel, and those that have ended.
    mutating func processes() throws(Failure) -> [OverviewProcess] {
        let scanner = ProcessScanner(host)
        var found: [OverviewProcess] = []
        let pids = try scanner.pids().sorted().filter { $0 != getpid() }
        for (index, pid) in pids.enumerated() {
            if deadline.hasPassed {
                keep(unread(pids.count - index))
                break
            }
            // Of a process whose first thread ended the others may run (RT5).
            guard let stat = scanner.namedStat(of: pid), !stat.numbers.isKernelThread,
                !stat.numbers.isDead
            else { continue }
            var process = OverviewProcess(
                pin: stat.pin,
                parent: stat.numbers.parent,
                name: stat.name,
                started: host.started(atTicks: stat.pin.startTicks).earliest,
                session: stat.numbers.session
            )
            do throws(Failure) {
                let directory = try ProcessDirectory(stat.pin, on: host)
                let isRead = try process.read(directory, threads: stat.numbers.threads, limit: ProcessLook.mostLinks)
                if !isRead { closed.insert(pid) }
            } catch {
                // It ended meanwhile.
                if error.code == .notFound || error.code == .changed || error.errno == ESRCH { continue }
                keep(error)
            }
            found.append(process)
        }
        // The first process of the machine is never a session, so it is no loss when it may not be looked into.
        let told = closed.subtracting([1])
        if let first = told.min() { keep(notPermitted(told.count, first)) }
        readArguments(of: &found)
        return found
    }

    private mutating func readArguments(of found: inout [OverviewProcess]) {
        let host = host
        let reading = ImpatientReading<[BytePath]> { pin in
            do throws(Failure) {
                return try ProcessDirectory(pin, on: host).arguments(limit: 65_536)
            } catch {
                // An ended process has none, which is not told from an empty list.
                return []
            }
        }
        let soon = min(deadline, Deadline(after: ProcessLook.patienceForArguments))
        let arguments = reading.read(found.map(\.pin), by: soon)
        for index in found.indices { found[index].arguments = arguments[found[index].pin] }
        keepHeld("read the arguments of a process", found.filter { $0.arguments == nil }.map(\.pin))
    }

    /// The sockets of every network namespace that one of the processes, or one of their threads, stands in; asked for by
    /// a child that can be ended, because a session can hold the lock of a socket as long as it likes.
    mutating func sockets(of pins: [ProcessPin]) -> [InetSocket] {
        guard host.procWindow != .recorded else { return [] }
        var seen: Set<UInt64> = []
        var sockets: [InetSocket] = []
        for pin in pins {
            if deadline.hasPassed {
                keep(Failure(.timedOut, "list all sockets", on: "process \(pin.pid)", because: "no time was left"))
                break
            }
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                for (inode, thread) in try process.networkNamespaces() where seen.insert(inode).inserted {
                    let dump = try NamespaceSockets(of: process, thread: thread).dump(by: deadline)
                    sockets += dump.inet
                    if !dump.hasCounters { keep(uncounted(inode)) }
                }
            } catch {
                // What may not be looked into was told already.
                if closed.contains(pin.pid) || error.code == .notFound || error.code == .changed { continue }
                if error.errno != ESRCH { keep(error) }
            }
        }
        return sockets
    }

    /// Tells what held a reader up, one by one, or how many when they are too many to be read by anybody.
    mutating func keepHeld(_ attempt: String, _ pins: [ProcessPin]) {
        let reason = "something holds the reader up"
        guard let first = pins.first, pins.count > ProcessLook.mostNamed else {
            for pin in pins { keep(Failure(.timedOut, attempt, on: String(pin.pid), because: reason)) }
            return
        }
        let subject = "\(pins.count) processes, the first is \(first.pid)"
        keep(Failure(.timedOut, attempt, on: subject, because: reason))
    }

    private func uncounted(_ namespace: UInt64) -> Failure {
        Failure(
            .timedOut,
            "count the bytes of connections",
            on: "network namespace \(namespace)",
            because: "a process holds the lock of one of its sockets"
        )
    }

    private func unread(_ count: Int) -> Failure {
        Failure(.timedOut, "look at every process", on: "\(count) processes", because: "no time was left for them")
    }

    private func notPermitted(_ count: Int, _ first: Int32) -> Failure {
        Failure(
            .notPermitted,
            "look into every process",
            on: count == 1 ? "process \(first)" : "\(count) processes, the first is \(first)",
            because: "what they run and hold open may not be read",
            hint: geteuid() == 0 ? nil : "sudo quell"
        )
    }
}

extension OverviewProcess {
    /// Reads what cannot block on the process or on anything it serves.
    ///
    /// - Returns: `false` when its executable or its descriptors may not be looked at; the rest is read all the same.
    fileprivate mutating func read(
        _ process: borrowing ProcessDirectory,
        threads: Int32,
        limit: Int
    ) throws(Failure) -> Bool {
        let status = try process.status()
        uid = status.uids.first
        residentBytes = status.residentBytes
        cgroups = try process.cgroups()
        do throws(Failure) {
            executable = try process.executable()
            links = try process.descriptorLinks(limit: limit)
            sockets = Set(links.compactMap(\.socketInode))
            if threads > 1 { sockets.formUnion(try process.socketHoldings().map(\.inode)) }
        } catch {
            guard error.code == .notPermitted else { throw error }
            return false
        }
        return true
    }
}
