import Base
import Kernel

/// Finds the virtual machine monitor that listens on a unix socket, without touching the socket: the kernel's list of
/// sockets has the name that it was bound to, and the descriptors of processes say who holds it (RT13).
struct MonitorLookup {
    let host: Host

    /// How long it may take, because a freeze waits for it.
    private static let patience = Duration.milliseconds(300)

    /// The process of QEMU's that listens at that path. Only processes of QEMU's name are looked into, those with the fewest
    /// descriptors first, so that nobody else's table holds a freeze up.
    ///
    /// - Throws: `notFound` when nobody listens there, `ambiguous` when several do, `refused` when it is not QEMU,
    ///   `timedOut` when it could not be told in time.
    func find(_ path: BytePath, for verb: String) throws(Failure) -> ProcessPin {
        let deadline = Deadline(after: MonitorLookup.patience)
        let text = String(decoding: path.bytes, as: UTF8.self)
        let sockets: [UnixSocket]
        do throws(Failure) {
            sockets = try NamespaceSockets.own(on: host).unixListeners(by: deadline)
        } catch {
            guard error.code == .timedOut else { throw error }
            throw MonitorLookup.late(text, verb)
        }
        let inodes = Set(sockets.filter { $0.isListening && $0.name == path }.map(\.inode))
        guard !inodes.isEmpty else {
            throw Failure(
                .notFound,
                "find the virtual machine",
                on: text,
                because: "no process listens on a unix socket that was bound to this path",
                hint: "give the path as QEMU has it, or the pid of QEMU: quell sessions"
            )
        }
        let found = try holders(of: inodes, by: deadline)
        guard let first = found.holders.first else {
            if !found.isWhole { throw MonitorLookup.late(text, verb) }
            throw try noMachine(inodes, text, verb)
        }
        guard found.holders.count == 1 else {
            throw Failure(
                .ambiguous,
                "find the virtual machine",
                on: text,
                because: "\(found.holders.count) processes hold a socket of that name",
                hint: found.holders.map { "quell \(verb) pid:\($0.pid)" }.joined(separator: "\n")
            )
        }
        return first
    }

    /// Those of QEMU's name that have one of the sockets open. Who ends meanwhile, or may not be looked into, is none.
    private func holders(
        of inodes: Set<UInt64>,
        by deadline: Deadline
    ) throws(Failure) -> (holders: [ProcessPin], isWhole: Bool) {
        let scanner = ProcessScanner(host)
        var candidates: [(pin: ProcessPin, descriptors: Int64)] = []
        for pid in try scanner.pids() {
            guard let stat = scanner.namedStat(of: pid), stat.name.text?.hasPrefix("qemu") == true else { continue }
            do throws(Failure) {
                candidates.append((stat.pin, try ProcessDirectory(stat.pin, on: host).descriptorCount()))
            } catch { continue }
        }
        candidates.sort { ($0.descriptors, $0.pin.pid) < ($1.descriptors, $1.pin.pid) }
        var found: [ProcessPin] = []
        for (pin, _) in candidates {
            do throws(Failure) {
                guard let holds = try ProcessDirectory(pin, on: host).holds(anyOf: inodes, by: deadline) else {
                    return (found, false)
                }
                if holds { found.append(pin) }
            } catch { continue }
        }
        return (found.sorted { $0.pid < $1.pid }, true)
    }

    /// Nothing is to be frozen, so there is time to say who listens there.
    private func noMachine(_ inodes: Set<UInt64>, _ text: String, _ verb: String) throws(Failure) -> Failure {
        let deadline = Deadline(after: .seconds(2))
        let scanner = ProcessScanner(host)
        for pid in try scanner.pids().sorted() where !deadline.hasPassed {
            guard let stat = scanner.namedStat(of: pid), !stat.numbers.isKernelThread else { continue }
            do throws(Failure) {
                let process = try ProcessDirectory(stat.pin, on: host)
                guard try process.holds(anyOf: inodes, by: deadline) == true else { continue }
            } catch { continue }
            return Failure(
                .refused,
                "take the virtual machine for a session",
                on: text,
                because: "process \(pid) (\(stat.name)) listens there, which is not QEMU",
                hint: "quell \(verb) pid:\(pid)"
            )
        }
        return Failure(.notFound, "find the virtual machine", on: text, because: "nobody holds the socket")
    }

    private static func late(_ text: String, _ verb: String) -> Failure {
        Failure(
            .timedOut,
            "find the virtual machine",
            on: text,
            because: "who listens there could not be told in time",
            hint: "name it by the pid of QEMU: quell \(verb) pid:N"
        )
    }
}
