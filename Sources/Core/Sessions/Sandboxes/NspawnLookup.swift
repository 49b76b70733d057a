import Base
import Kernel

/// Finds a container of systemd-nspawn by its machine name. Whoever starts one says the name in arguments, which are not
/// read before a freeze (RT7); but systemd-nspawn mounts /run/systemd/nspawn/propagate/NAME of the host into the container
/// at /run/host/incoming, and the kernel's mount table of a process inside says so. Nothing inside can mount a folder of the
/// host's that it was not given (RT8). The registry of machines is not asked: a container need not be in it.
/// Source: systemd, src/nspawn/nspawn.c, `mount_tunnel_dig`.
struct NspawnLookup {
    let host: Host
    private static let launcher = BytePath("systemd-nspawn")
    private static let place = BytePath("/run/host/incoming")

    /// The systemd-nspawn of the one running container of that name, and the first process inside.
    ///
    /// - Throws: `notFound` when none of that name runs, `ambiguous` when several do.
    func find(_ name: ContainerName, for verb: String) throws(Failure) -> ProcessPin {
        let found = try machines().filter { $0.name == BytePath(name.name) }.map(\.first)
        guard let first = found.first else {
            throw Failure(
                .notFound,
                "find the container",
                on: name.argument,
                because: "no container of systemd-nspawn of that name runs",
                hint: "quell sessions"
            )
        }
        guard found.count == 1 else {
            throw Failure(
                .ambiguous,
                "find the container",
                on: name.argument,
                because: "\(found.count) containers of systemd-nspawn have that name",
                hint: found.map { "quell \(verb) pid:\($0.pid)" }.joined(separator: "\n")
            )
        }
        return first
    }

    /// Whether a container of that name runs.
    func hasContainer(_ name: ContainerName) throws(Failure) -> Bool {
        try machines().contains { $0.name == BytePath(name.name) }
    }

    /// The name of the machine that one of these processes started or is the first process of; `nil` when nothing tells.
    func name(of processes: [ProcessPin]) -> BytePath? {
        let scanner = ProcessScanner(host)
        do throws(Failure) {
            let tunnels = try hostFolder()
            for process in processes {
                guard let stat = scanner.namedStat(of: process.pid), stat.pin == process,
                    scanner.namedStat(of: stat.numbers.parent)?.name == NspawnLookup.launcher
                else { continue }
                if let name = try name(of: process, tunnels) { return name }
            }
        } catch {
            // A list shows it without a name.
            return nil
        }
        return nil
    }

    /// Every first process that a systemd-nspawn of the host's started, with the name of its machine.
    private func machines() throws(Failure) -> [(name: BytePath, first: ProcessPin)] {
        let scanner = ProcessScanner(host)
        let all = try scanner.pids().sorted().compactMap { scanner.namedStat(of: $0) }
        let launchers = Set(all.filter { $0.name == NspawnLookup.launcher }.map(\.pid))
        guard !launchers.isEmpty else { return [] }
        let tunnels = try hostFolder()
        var found: [(name: BytePath, first: ProcessPin)] = []
        for stat in all where launchers.contains(stat.numbers.parent) && !stat.numbers.isDead {
            if let name = try name(of: stat.pin, tunnels) { found.append((name, stat.pin)) }
        }
        return found
    }

    /// What the kernel says about the folder of the host in which the names stand.
    private struct HostFolder {
        let device: String
        let path: BytePath
    }

    /// The folder as the filesystem has it, whatever it is mounted on: `/systemd/nspawn/propagate` of a tmpfs on /run.
    private func hostFolder() throws(Failure) -> HostFolder {
        let path = BytePath("/run/systemd/nspawn/propagate")
        let file = BytePath("self/mountinfo")
        let text = try host.proc.descriptor.open(file, 0, to: "read the mounts")
        let table = MountTable(parsing: try text.readToEnd(limit: 16 << 20, from: file))
        // The last of those mounted at the same place is the one that is seen.
        let covering = table.entries.filter { path.isAtOrBelow($0.mountPoint) }
            .max { $0.mountPoint.components.count < $1.mountPoint.components.count }
        guard let mount = covering else {
            throw Failure(.notFound, "find the names of containers", on: "/run", because: "no mount holds it")
        }
        let rest = path.components.dropFirst(mount.mountPoint.components.count)
        return HostFolder(device: mount.device, path: rest.reduce(mount.root) { $0.appending($1) })
    }

    private func name(of pin: ProcessPin, _ tunnels: HostFolder) throws(Failure) -> BytePath? {
        let table: MountTable
        do throws(Failure) {
            table = try ProcessDirectory(pin, on: host).mounts()
        } catch {
            // It ended meanwhile.
            guard [.notFound, .changed].contains(error.code) else { throw error }
            return nil
        }
        return table.entries.first {
            $0.mountPoint == NspawnLookup.place && $0.device == tunnels.device && $0.root.parent == tunnels.path
        }?.root.lastComponent
    }
}
