import Base
import Kernel

/// Finds the virtual machine monitor that listens on a unix socket, without touching the socket: the kernel's list of
/// sockets has the name that it was bound to, and the descriptors of processes say who holds it (RT13).
struct MonitorLookup {
    let host: Host

    /// The process of QEMU's that listens at that path.
    ///
    /// - Throws: `notFound` when nobody listens there, `ambiguous` when several do, `refused` when it is not QEMU.
    func find(_ path: BytePath, for verb: String) throws(Failure) -> ProcessPin {
        let deadline = Deadline(after: .seconds(2))
        let sockets = try NamespaceSockets.own(on: host).dump(countersWithin: .zero, by: deadline).unix
        let inodes = Set(sockets.filter { $0.isListening && $0.name == path }.map(\.inode))
        let text = String(decoding: path.bytes, as: UTF8.self)
        guard !inodes.isEmpty else {
            throw Failure(
                .notFound,
                "find the virtual machine",
                on: text,
                because: "no process listens on a unix socket that was bound to this path",
                hint: "give the path as QEMU has it, or the pid of QEMU: quell sessions"
            )
        }
        let holders = try holders(of: inodes)
        guard let first = holders.first else {
            throw Failure(.notFound, "find the virtual machine", on: text, because: "nobody holds the socket")
        }
        guard holders.count == 1 else {
            throw Failure(
                .ambiguous,
                "find the virtual machine",
                on: text,
                because: "\(holders.count) processes hold a socket of that name",
                hint: holders.map { "quell \(verb) pid:\($0.pid)" }.joined(separator: "\n")
            )
        }
        guard first.name.text?.hasPrefix("qemu") == true else {
            throw Failure(
                .refused,
                "take the virtual machine for a session",
                on: text,
                because: "process \(first.pid) (\(first.name)) listens there, which is not QEMU",
                hint: "quell \(verb) pid:\(first.pid)"
            )
        }
        return first.pin
    }

    /// Those who have one of the sockets open. Who ends meanwhile, or may not be looked into, is none.
    private func holders(of inodes: Set<UInt64>) throws(Failure) -> [ProcessStat] {
        let scanner = ProcessScanner(host)
        var found: [ProcessStat] = []
        for pid in try scanner.pids().sorted() {
            guard let stat = scanner.namedStat(of: pid), !stat.numbers.isKernelThread else { continue }
            do throws(Failure) {
                let links = try ProcessDirectory(stat.pin, on: host).descriptorLinks()
                if links.contains(where: { $0.socketInode.map(inodes.contains) ?? false }) { found.append(stat) }
            } catch { continue }
        }
        return found
    }
}
