internal import Base
internal import Kernel

/// Finds the units of the machine's systemd that a session is, and what brings them back. Whoever may make a group names it
/// as he likes: a name means a unit only when the manager says that this very group is the unit's (docs/decisions/0029).
struct UnitSearch {
    let root: BytePath
    private let deadline = Deadline(after: .seconds(3))

    init(root: BytePath) { self.root = root }

    /// The supervisor that a service of that name is, when the session stands in one of these groups of that name; `nil`
    /// when nothing brings it back. The manager's word counts, whatever its files say. When it is not to be had, the files
    /// are read, and nothing is held by name.
    func supervisor(for component: BytePath, in groups: Set<BytePath>, _ notes: inout [String]) -> Supervisor? {
        guard let name = component.text, name.hasSuffix(".service") else { return nil }
        guard SupervisorSearch.isFolder(root.appending("run/systemd/system")) else {
            return UnitFiles(root: root).supervisor(for: component)
        }
        guard SystemdManager.isName(name) else { return nil }
        do throws(Failure) {
            return try asked(name, in: groups, &notes)
        } catch {
            return unasked(name, error)
        }
    }

    private func asked(
        _ name: String,
        in groups: Set<BytePath>,
        _ notes: inout [String]
    ) throws(Failure) -> Supervisor? {
        let manager = try SystemdManager(root: root, by: deadline)
        let settings = try manager.settings(of: name)
        guard groups.contains(BytePath(settings.group)) else {
            let place = settings.group.isEmpty ? "runs nowhere" : "runs in \(BytePath(settings.group))"
            notes.append("a group has the name \(BytePath(name)) and is not that unit, which \(place)")
            return nil
        }
        var details = [settings.cause].compactMap { $0 }
        var active: [String] = []
        for trigger in settings.triggers where SystemdManager.isName(trigger) {
            if try manager.isActive(trigger) { active.append(trigger) }
        }
        if !active.isEmpty { details.append("\(active.sorted().joined(separator: ", ")) starts it") }
        guard !details.isEmpty else { return nil }
        return Supervisor(
            kind: .systemdUnit,
            name: BytePath(name),
            detail: details.joined(separator: " and "),
            process: nil
        )
    }

    private func unasked(_ name: String, _ failure: Failure) -> Supervisor? {
        let files = UnitFiles(root: root)
        if var found = files.supervisor(for: BytePath(name)) {
            found.reason = failure.reason
            return found
        }
        guard !files.isKnown(name) else { return nil }
        return Supervisor(
            kind: .systemdUnit,
            name: BytePath(name),
            detail: "its unit file is not where Quell looks, so it is not known whether it restarts",
            process: nil,
            reason: "ask systemctl show -p Restart for it"
        )
    }
}
