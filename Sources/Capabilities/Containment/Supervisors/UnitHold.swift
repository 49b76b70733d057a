internal import Base
internal import Glibc
internal import Kernel

/// Holds a unit of systemd's: a drop-in in /run with `Restart=no` and with a condition that never holds, so that nobody
/// starts it (docs/decisions/0029), which a reload of the manager takes up, and a stop of the timers and paths that start it.
/// A socket stays: systemd does not start it again while its service is active. A running service keeps its watchdog over a
/// reload, so the manager is told in the name of the service's main process that it is off, as sd_notify(3) has it. The
/// manager is asked afterwards whether it has all that so; its word counts, not the file. Undone newest first.
struct UnitHold {
    private let manager: SystemdManager
    private let root: BytePath
    private let host: Host

    static let text = """
        # Put here by quell while it contains this unit; quell thaw or quell release-restart takes it away.
        [Unit]
        ConditionPathExists=!/
        [Service]
        Restart=no
        RestartForceExitStatus=
        WatchdogSec=0
        RuntimeMaxSec=infinity

        """

    /// - Throws: why no unit can be held on this machine.
    init(root: BytePath, on host: Host, by deadline: Deadline? = nil) throws(Failure) {
        self.root = root
        self.host = host
        manager = try SystemdManager(root: root, by: deadline)
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
            var stoppable: [String] = []
            var isConditionNeeded = before.reason != nil || !before.upholders.isEmpty
            for trigger in before.triggers where SystemdManager.isName(trigger) {
                guard try manager.isActive(trigger) else { continue }
                if trigger.hasSuffix(".socket"), try !manager.startsOneEach(trigger) {
                    isConditionNeeded = true
                } else {
                    stoppable.append(trigger)
                }
            }
            var dropIn: BytePath?
            if isConditionNeeded, !before.isHeldBefore || before.reason != nil {
                let folder = root.appending("run/systemd/system/\(unit).d")
                let file = folder.appending("zz-\(try Cgroup.randomName()).conf")
                let hold = ContainmentEffect.holdUnit(unit: unit, dropIn: file, systemctl: manager.systemctl)
                try record(hold, &effects, apply) { () throws(Failure) in try UnitHold.put(file, manager) }
                try quiet(unit, &effects, apply)
                dropIn = file
            }
            for trigger in stoppable {
                let stop = ContainmentEffect.stopUnit(unit: trigger, systemctl: manager.systemctl)
                try record(stop, &effects, apply) { () throws(Failure) in try manager.stop(trigger) }
            }
            supervisor.reason = try loose(unit, stoppable, dropIn)
            supervisor.isHeld = supervisor.reason == nil
            return effects.count > count || !supervisor.isHeld || before.isHeldBefore
        } catch {
            supervisor.reason = error.reason
            return true
        }
    }

    /// An act that was not answered in time may be done later: it is kept, so that it is taken back.
    private func record(
        _ effect: ContainmentEffect,
        _ effects: inout [ContainmentEffect],
        _ apply: Apply,
        _ act: @escaping () throws(Failure) -> Void
    ) throws(Failure) {
        do throws(Failure) {
            try apply([effect], act)
        } catch {
            if error.code == .timedOut { effects.append(effect) }
            throw error
        }
        effects.append(effect)
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

    private func loose(_ unit: String, _ triggers: [String], _ dropIn: BytePath?) throws(Failure) -> String? {
        let now = try manager.settings(of: unit)
        if let reason = now.reason { return reason }
        if let dropIn, !now.has(dropIn) { return "systemd has not taken up \(dropIn)" }
        for trigger in triggers {
            let state = try manager.state(of: trigger)
            if !["inactive", "failed"].contains(state) { return "\(trigger) is \(state)" }
        }
        guard now.onFailure.isEmpty else {
            return "systemd starts \(now.onFailure.joined(separator: ", ")) when it is killed: look what that does"
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
        // A socket that came to nothing by the condition gave up: that was the hold's doing.
        guard let folder = dropIn.parent.lastComponent.text, folder.hasSuffix(".d") else { return }
        for trigger in try manager.settings(of: String(folder.dropLast(2))).triggers
        where trigger.hasSuffix(".socket") && SystemdManager.isName(trigger) {
            if try manager.hasGivenUp(trigger) { try manager.start(trigger) }
        }
    }

    /// By the manager's word: the file alone proves nothing.
    static func state(_ unit: String, _ dropIn: BytePath, _ manager: SystemdManager) -> ContainmentEffectState {
        guard isThere(dropIn) else { return .notDone }
        do throws(Failure) {
            let now = try manager.settings(of: unit)
            return now.has(dropIn) && now.restart == "no" && now.forcedStatus.isEmpty ? .done : .partly
        } catch {
            return .cannotTell
        }
    }

    /// Whether the file is there.
    static func isThere(_ dropIn: BytePath) -> Bool { dropIn.withCString { access($0, F_OK) } == 0 }
}
