import Base
import Kernel

/// Finds the cgroup of a unit of systemd's. Only slices are walked through: they are the manager's own, so that a session
/// cannot make a group that is found in the place of a unit's (RT8). systemd is not asked: it could block (RT7).
struct UnitLookup {
    let host: Host
    let root: BytePath
    let patience: Duration?

    /// The path of the one group of that name.
    ///
    /// - Throws: `notFound` when no such unit has processes, `ambiguous` when several groups have the name, which only
    ///   happens below two managers of the same user.
    func find(_ unit: UnitName, for verb: String) throws(Failure) -> BytePath {
        let start = try start(unit)
        if let guess = try guess(unit, below: start) { return guess }
        let name = BytePath(unit.name)
        var found: Set<BytePath> = []
        for hierarchy in hierarchies {
            try walk(start, in: hierarchy) { path in
                if path.lastComponent == name { found.insert(path) }
            }
        }
        guard let path = found.sorted().first else {
            throw Failure(
                .notFound,
                "find the unit",
                on: unit.argument,
                because: "no unit of that name has a cgroup: it does not run, or belongs to another systemd",
                hint: unit.user == nil ? "systemctl status \(unit.name)" : "quell"
            )
        }
        guard found.count == 1 else {
            throw Failure(
                .ambiguous,
                "find the unit",
                on: unit.argument,
                because: "\(found.count) cgroups have that name",
                hint: "quell \(verb) pid:N with the pid of its main process"
            )
        }
        return path
    }

    private var hierarchies: [CgroupHierarchy] { [host.unified, host.freezer].compactMap { $0 } }

    /// Below which group the manager keeps its units.
    private func start(_ unit: UnitName) throws(Failure) -> BytePath {
        guard let user = unit.user else { return BytePath("/") }
        let uid: UInt32
        if let number = UInt32(user) {
            uid = number
        } else {
            uid = try ContainerOwner.user(user, at: root, on: host, withHome: false).uid ?? 0
        }
        return BytePath("/user.slice/user-\(uid).slice/user@\(uid).service")
    }

    /// Where a unit stands unless somebody gave it a slice: `NAME@X.service` in a slice of its template's.
    private func guess(_ unit: UnitName, below start: BytePath) throws(Failure) -> BytePath? {
        guard unit.user == nil else { return nil }
        let slice = start.appending("system.slice")
        var guesses = [slice.appending(unit.name)]
        if let at = unit.name.firstIndex(of: "@") {
            guesses.insert(slice.appending("system-\(unit.name[..<at]).slice").appending(unit.name), at: 0)
        }
        for path in guesses {
            for hierarchy in hierarchies {
                do throws(Failure) {
                    return try Cgroup(path, in: hierarchy).path
                } catch {
                    guard error.code == .notFound else { throw error }
                }
            }
        }
        return nil
    }

    private func walk(
        _ path: BytePath,
        in hierarchy: CgroupHierarchy,
        _ body: (BytePath) -> Void
    ) throws(Failure) {
        let deadline = patience.map { Deadline(after: $0) }
        var waiting = [path]
        while let next = waiting.popLast() {
            if let deadline, deadline.hasPassed { return }
            for child in try children(of: next, in: hierarchy) {
                body(child)
                if child.lastComponent.text?.hasSuffix(".slice") == true { waiting.append(child) }
            }
        }
    }

    private func children(of path: BytePath, in hierarchy: CgroupHierarchy) throws(Failure) -> [BytePath] {
        do throws(Failure) {
            return try Cgroup(path, in: hierarchy).childNames().map { path.appending($0) }
        } catch {
            guard error.code == .notFound else { throw error }
            return []
        }
    }
}
