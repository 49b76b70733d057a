internal import Base
internal import Glibc
internal import Kernel

/// Holds a unit of systemd's: a drop-in in /run with `Restart=no` and without a watchdog, which a reload of the manager
/// takes up, and a stop of what would start it by the clock, a socket or a path. The manager is asked afterwards whether it
/// has it so; its word counts, not the file. Undone by taking the file away, a reload, and starting what was stopped.
struct UnitHold {
    private let manager: SystemdManager
    private let root: BytePath

    static let text = """
        # Put here by quell while it contains this unit; quell thaw or quell release-restart takes it away.
        [Service]
        Restart=no
        RestartForceExitStatus=
        WatchdogSec=0

        """

    /// - Throws: why no unit can be held on this machine.
    init(root: BytePath) throws(Failure) {
        self.root = root
        manager = try SystemdManager(root: root)
    }

    /// Holds one, and notes why when it is not held.
    func hold(_ supervisor: inout Supervisor, _ effects: inout [ContainmentEffect], _ apply: Apply) {
        guard let unit = supervisor.name.text, SystemdManager.isName(unit) else {
            supervisor.reason = "its name is none that systemd would have"
            return
        }
        do throws(Failure) {
            let before = try manager.settings(of: unit)
            if before.reason != nil {
                let folder = root.appending("run/systemd/system/\(unit).d")
                let dropIn = folder.appending("zz-\(try Cgroup.randomName()).conf")
                let hold = ContainmentEffect.holdUnit(unit: unit, dropIn: dropIn, systemctl: manager.systemctl)
                try apply([hold]) { () throws(Failure) in try UnitHold.put(dropIn, manager) }
                effects.append(hold)
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
        } catch {
            supervisor.reason = error.reason
        }
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
