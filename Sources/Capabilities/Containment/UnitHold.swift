internal import Base
internal import Glibc
internal import Kernel

/// Holds a unit of systemd's: a drop-in in /run with `Restart=no`, which a reload of the manager takes up, and a stop of
/// what would start it by the clock, a socket or a path. A running service keeps its watchdog over a reload, so the manager
/// is told in the name of the service's main process that it is off, as sd_notify(3) has it. The manager is asked afterwards
/// whether it has all that so; its word counts, not the file. Undone newest first.
struct UnitHold {
    private let manager: SystemdManager
    private let root: BytePath
    private let host: Host

    static let text = """
        # Put here by quell while it contains this unit; quell thaw or quell release-restart takes it away.
        [Service]
        Restart=no
        RestartForceExitStatus=
        WatchdogSec=0
        RuntimeMaxSec=infinity

        """

    /// - Throws: why no unit can be held on this machine.
    init(root: BytePath, on host: Host) throws(Failure) {
        self.root = root
        self.host = host
        manager = try SystemdManager(root: root)
    }

    /// Holds one, and notes why when it is not held. `false` when it turns out that nothing would start it again: the
    /// manager has no restart for it, and what would trigger it is not active.
    func hold(_ supervisor: inout Supervisor, _ effects: inout [ContainmentEffect], _ apply: Apply) -> Bool {
        guard let unit = supervisor.name.text, SystemdManager.isName(unit) else {
            supervisor.reason = "its name is none that systemd would have"
            return true
        }
        do throws(Failure) {
            let count = effects.count
            let before = try manager.settings(of: unit)
            if before.reason != nil {
                let folder = root.appending("run/systemd/system/\(unit).d")
                let dropIn = folder.appending("zz-\(try Cgroup.randomName()).conf")
                let hold = ContainmentEffect.holdUnit(unit: unit, dropIn: dropIn, systemctl: manager.systemctl)
                try apply([hold]) { () throws(Failure) in try UnitHold.put(dropIn, manager) }
                effects.append(hold)
                try quiet(unit, &effects, apply)
            }
            for trigger in before.triggers where SystemdManager.isName(trigger) {
                guard try manager.isActive(trigger) else { continue }
                let stop = ContainmentEffect.stopUnit(unit: trigger, systemctl: manager.systemctl)
                let manager = manager
                try apply([stop]) { () throws(Failure) in try manager.stop(trigger) }
                effects.append(stop)
            }
            supervisor.reason = try loose(unit, before.triggers)
            supervisor.isHeld = supervisor.reason == nil
            return effects.count > count || !supervisor.isHeld
        } catch {
            supervisor.reason = error.reason
            return true
        }
    }

    /// Turns the watchdog of a running service off, when the reload did not.
    private func quiet(_ unit: String, _ effects: inout [ContainmentEffect], _ apply: Apply) throws(Failure) {
        let now = try manager.settings(of: unit)
        guard now.isWatched, let span = TimeSpan.microseconds(now.watchdog),
            let main = ProcessScanner(host).namedStat(of: now.mainPid)?.pin
        else { return }
        let watchdog = Watchdog(
            unit: unit,
            microseconds: span,
            process: main,
            socket: root.appending("run/systemd/notify"),
            systemctl: manager.systemctl
        )
        let host = self.host
        try apply([.quietWatchdog(watchdog)]) { () throws(Failure) in try watchdog.quiet(on: host) }
        effects.append(.quietWatchdog(watchdog))
    }

    private func loose(_ unit: String, _ triggers: [String]) throws(Failure) -> String? {
        if let reason = try manager.settings(of: unit).reason { return reason }
        for trigger in triggers {
            guard SystemdManager.isName(trigger), try !manager.isActive(trigger) else { return "\(trigger) is active" }
        }
        return nil
    }

    /// Writes the file and has it taken up. The folder may be there already.
    static func put(_ dropIn: BytePath, _ manager: SystemdManager) throws(Failure) {
        let folder = dropIn.parent
        let made = folder.withCString { mkdir($0, 0o755) }
        guard made == 0 || errno == EEXIST else { throw Failure(errno: errno, "make the folder", on: folder) }
        let file = try Descriptor(opening: dropIn, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644)
        try Array(text.utf8).withUnsafeBufferPointer { bytes throws(Failure) in
            try file.write(UnsafeRawBufferPointer(bytes), to: dropIn)
        }
        try manager.reload()
    }

    /// Takes the file away, the folder when nothing else is in it, and has that taken up. A file that is gone is no error.
    static func remove(_ dropIn: BytePath, _ manager: SystemdManager) throws(Failure) {
        let result = dropIn.withCString { unlink($0) }
        guard result == 0 || errno == ENOENT else { throw Failure(errno: errno, "remove the drop-in", on: dropIn) }
        _ = dropIn.parent.withCString { rmdir($0) }
        try manager.reload()
    }

    /// Whether the file is there.
    static func isThere(_ dropIn: BytePath) -> Bool { dropIn.withCString { access($0, F_OK) } == 0 }
}
