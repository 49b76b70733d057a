public import Base
internal import Glibc
public import Kernel

extension Overview {
    /// Descriptors that are looked at in one process.
    private static let mostLinks = 16_384

    /// Looks at every process of this machine and at the sockets of those that belong to an agent, in their own network
    /// namespaces. Quell itself is left out.
    ///
    /// - Throws: When the processes cannot be listed. What cannot be read of one of them is a member of ``failures``.
    public static func look(
        at host: Host,
        inventory: Inventory = .empty,
        by deadline: Deadline
    ) throws(Failure) -> Overview {
        var failures: [Failure] = []
        let processes = try processes(on: host, by: deadline, &failures)
        let grouping = OverviewGrouping(processes, inventory)
        let members = grouping.groups.flatMap(\.members).map(\.pin)
        let sockets = sockets(of: members, on: host, by: deadline, &failures)
        var seen: Set<Failure> = []
        return Overview(
            of: processes,
            sockets: sockets,
            inventory: inventory,
            failures: failures.filter { seen.insert($0).inserted }
        )
    }

    static func processes(
        on host: Host,
        by deadline: Deadline,
        _ failures: inout [Failure]
    ) throws(Failure) -> [OverviewProcess] {
        let scanner = ProcessScanner(host)
        var found: [OverviewProcess] = []
        var closed: [Int32] = []
        for pid in try scanner.pids().sorted() where pid != getpid() {
            guard let stat = scanner.namedStat(of: pid), !stat.numbers.isKernelThread, !stat.numbers.isZombie else {
                continue
            }
            var process = OverviewProcess(
                pin: stat.pin,
                parent: stat.numbers.parent,
                name: stat.name,
                started: host.started(atTicks: stat.pin.startTicks).earliest
            )
            do throws(Failure) {
                if try !process.read(ProcessDirectory(stat.pin, on: host), limit: mostLinks) { closed.append(pid) }
            } catch {
                // It ended meanwhile.
                if error.code == .notFound || error.code == .changed { continue }
                failures.append(error)
            }
            found.append(process)
        }
        // The first process of the machine is never a session, so it is no loss when it may not be looked into.
        closed.removeAll { $0 == 1 }
        if let first = closed.first { failures.append(notPermitted(closed.count, first)) }
        let arguments = ArgumentReading(host).read(found.map(\.pin), by: deadline)
        for index in found.indices {
            found[index].arguments = arguments[found[index].pin]
            if found[index].arguments == nil {
                failures.append(
                    Failure(
                        .timedOut,
                        "read the arguments of a process",
                        on: String(found[index].pin.pid),
                        because: "something holds the reader up"
                    )
                )
            }
        }
        return found
    }

    private static func notPermitted(_ count: Int, _ first: Int32) -> Failure {
        Failure(
            .notPermitted,
            "look into every process",
            on: count == 1 ? "process \(first)" : "\(count) processes, the first is \(first)",
            because: "what they run and hold open may not be read",
            hint: geteuid() == 0 ? nil : "sudo quell"
        )
    }

    /// The sockets of every network namespace that one of the processes stands in.
    private static func sockets(
        of pins: [ProcessPin],
        on host: Host,
        by deadline: Deadline,
        _ failures: inout [Failure]
    ) -> [InetSocket] {
        guard host.procWindow != .recorded else { return [] }
        var namespaces: Set<UInt64> = []
        var sockets: [InetSocket] = []
        for pin in pins {
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                guard let namespace = try process.namespace(.network), namespaces.insert(namespace).inserted else {
                    continue
                }
                let descriptor = try process.open("ns/net", O_RDONLY)
                let diag = try SockDiag(inNetworkNamespace: descriptor.number)
                sockets += try diag.allInetSockets(by: deadline).sockets
            } catch {
                if error.code != .notFound && error.code != .changed { failures.append(error) }
            }
        }
        return sockets
    }
}

extension OverviewProcess {
    /// Reads what cannot block on the process or on anything it serves.
    ///
    /// - Returns: `false` when its executable or its descriptors may not be looked at; the rest is read all the same.
    fileprivate mutating func read(_ process: borrowing ProcessDirectory, limit: Int) throws(Failure) -> Bool {
        uid = try process.status().uids.first
        cgroups = try process.cgroups()
        do throws(Failure) {
            executable = try process.executable()
            links = try process.descriptorLinks(limit: limit)
        } catch {
            guard error.code == .notPermitted else { throw error }
            return false
        }
        return true
    }
}
