internal import Base
internal import Kernel

/// Finds every systemd that is not the machine's own and of which a session is a unit: a user's (`systemd --user`), or that
/// of a container in which Quell does not run. Such a manager is asked nothing: it belongs to the user or to the container,
/// and so may be on the session's side. It is a process that is held like any other (docs/decisions/0024).
struct OtherManagers {
    let host: Host
    private static let scope = BytePath("init.scope")

    /// The components of a path that are units of such a manager, as far as that can be told from the path.
    func units(of path: BytePath) -> [BytePath] {
        let components = path.components
        guard let top = tops(of: path).first else { return [] }
        return Array(components[top.components.count...])
    }

    /// A manager stands in the `init.scope` of the group that is delegated to it, and is the parent of its services. The
    /// group may be the session's to fill: who stands there counts when it runs the host's own file; a parent is believed to
    /// be a manager because that only holds one process more. Managers are taken from the list of parents.
    func find(above paths: [BytePath], parents: inout [ProcessStat]) -> [Supervisor] {
        var found: [Supervisor] = []
        for path in paths {
            for top in tops(of: path) {
                guard let unit = OtherManagers.service(in: path.components[top.components.count...]) else { continue }
                var managers = standing(in: top.appending(OtherManagers.scope))
                managers += parents.filter { $0.pid > 1 && ParentProgram($0, on: host).executable == "systemd" }
                if managers.isEmpty { found.append(OtherManagers.missing(unit, top)) }
                for manager in managers where !found.contains(where: { $0.process == manager.pin }) {
                    found.append(
                        Supervisor(
                            kind: .systemdManager,
                            name: unit,
                            detail: "it is a unit of process \(manager.pid), the systemd of \(top)",
                            process: manager.pin
                        )
                    )
                }
            }
        }
        let pins = Set(found.compactMap(\.process))
        parents.removeAll { pins.contains($0.pin) }
        return found
    }

    /// The groups above a path that are delegated to a manager, outermost first: a user's, or one with an `init.scope`.
    private func tops(of path: BytePath) -> [BytePath] {
        let components = path.components
        return components.indices.dropLast().compactMap { index in
            let top = BytePath([UInt8(ascii: "/")] + components[...index].map(\.bytes).joined(separator: [47]))
            let isUsers = components[index].text.map { $0.hasPrefix("user@") && $0.hasSuffix(".service") } ?? false
            return isUsers || group(top.appending(OtherManagers.scope)) != nil ? top : nil
        }
    }

    /// A scope is started by others and never again.
    private static func service(in components: ArraySlice<BytePath>) -> BytePath? {
        components.last { $0.text?.hasSuffix(".service") ?? false }
    }

    private static func missing(_ unit: BytePath, _ top: BytePath) -> Supervisor {
        Supervisor(
            kind: .systemdManager,
            name: unit,
            detail: "it is a unit of the systemd of \(top)",
            process: nil,
            reason: "that systemd is not where it should stand; find its process and give it with --include"
        )
    }

    private func group(_ path: BytePath) -> Cgroup? {
        guard let hierarchy = host.unified else { return nil }
        do throws(Failure) {
            return try Cgroup(path, in: hierarchy)
        } catch {
            return nil
        }
    }

    /// Who stands in a group and executes the host's own systemd.
    private func standing(in path: BytePath) -> [ProcessStat] {
        guard let group = group(path) else { return [] }
        let scanner = ProcessScanner(host)
        do throws(Failure) {
            return try group.memberPids().compactMap { scanner.namedStat(of: $0) }.filter { stat in
                stat.pid > 1 && !stat.numbers.isDead && ParentProgram(stat, on: host).trusted == "systemd"
            }
        } catch {
            return []
        }
    }
}
