internal import Base
internal import Glibc
internal import Kernel

/// The systemd that runs this machine, spoken to by its own `systemctl` in a child: a program of root's at a fixed path,
/// with an empty environment and a deadline. Sources: systemctl(1), systemd.unit(5), systemd.service(5), sd_booted(3).
struct SystemdManager {
    /// The program.
    let systemctl: BytePath
    private static let patience = Duration.seconds(5)
    /// When all that it is asked has to be answered.
    private let deadline: Deadline?

    /// Finds it below `root`, which is `/` but for tests. Nothing that it is asked takes longer than five seconds, and all
    /// together not longer than until `deadline`.
    ///
    /// - Throws: `notFound` where systemd does not run the machine, `refused` when its program could be changed by others.
    init(root: BytePath, by deadline: Deadline? = nil) throws(Failure) {
        guard SupervisorSearch.isFolder(root.appending("run/systemd/system")) else {
            throw Failure(
                .notFound,
                "ask systemd",
                on: "/run/systemd/system",
                because: "systemd does not run this machine"
            )
        }
        self.deadline = deadline
        systemctl = root.appending("usr/bin/systemctl")
        try RootOwned.check(systemctl, "start")
    }

    /// Takes one that was found before.
    init(_ systemctl: BytePath) {
        self.systemctl = systemctl
        deadline = nil
    }

    /// What the manager has for the service now: not what stands in files.
    func settings(of unit: String) throws(Failure) -> ManagedSettings {
        let names =
            "Restart,RestartForceExitStatus,WatchdogUSec,RuntimeMaxUSec,MainPID,TriggeredBy,UpheldBy,OnFailure,"
            + "ControlGroup,DropInPaths"
        let bytes = try run(["show", "--property=\(names)", "--", unit])
        return ManagedSettings(parsing: bytes)
    }

    /// Whether a timer, a socket or a path is active.
    func isActive(_ unit: String) throws(Failure) -> Bool { try state(of: unit) == "active" }

    /// `active`, `inactive`, `deactivating`, `failed` and so on.
    func state(of unit: String) throws(Failure) -> String { try property("ActiveState", of: unit) }

    /// Whether a socket starts one service for each connection, which has another name each time.
    func startsOneEach(_ socket: String) throws(Failure) -> Bool { try property("Accept", of: socket) == "yes" }

    /// Whether it is about to become something else.
    func hasJob(_ unit: String) throws(Failure) -> Bool { try !["", "0"].contains(property("Job", of: unit)) }

    /// Whether it has given up, because what it starts came to nothing again and again.
    func hasGivenUp(_ trigger: String) throws(Failure) -> Bool {
        try property("Result", of: trigger) == "trigger-limit-hit"
    }

    private func property(_ name: String, of unit: String) throws(Failure) -> String {
        let lines = ManagedSettings.lines(try run(["show", "--property=\(name)", "--", unit]))
        return lines.first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) } ?? ""
    }

    func reload() throws(Failure) { _ = try run(["daemon-reload"]) }

    /// Asks for it, and waits until it is so or the time is over: what was asked for, systemd does later as well, so that
    /// is no error, and has to be taken back.
    func stop(_ unit: String) throws(Failure) {
        _ = try run(["stop", "--no-block", "--", unit])
        let end = min(deadline ?? Deadline(after: SystemdManager.patience), Deadline(after: SystemdManager.patience))
        while try ["active", "deactivating"].contains(state(of: unit)), !end.hasPassed { usleep(20_000) }
    }

    func start(_ unit: String) throws(Failure) { _ = try run(["start", "--", unit]) }

    private func run(_ arguments: [String]) throws(Failure) -> [UInt8] {
        let output = try ChildProcess.run(
            .rootOwned(systemctl),
            arguments.map { BytePath($0) },
            limit: 1 << 16,
            by: min(deadline ?? Deadline(after: SystemdManager.patience), Deadline(after: SystemdManager.patience))
        )
        let words = arguments.joined(separator: " ")
        switch output.end {
        case .exited(0) where !output.wasCut: return output.bytes
        case .overran: throw Failure(.timedOut, "run systemctl", on: words, because: "it did not end in time")
        default: throw Failure(.system, "run systemctl", on: words, because: "it failed")
        }
    }

    /// Whether a name may be put into a path and before systemctl: the characters that systemd lets a name have, no slash,
    /// no dash or dot in front. Source: systemd.unit(5).
    static func isName(_ name: String) -> Bool {
        guard (1...255).contains(name.utf8.count), let first = name.utf8.first,
            first != UInt8(ascii: "-"), first != UInt8(ascii: ".")
        else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: ":-_.\\@".utf8.contains(byte)
            }
        }
    }
}

/// What `systemctl show` says about a service.
///
/// A watchdog is not taken from a running service by a reload: systemd 252 keeps `WatchdogUSec` as it was when the service
/// started, until the service itself says otherwise (``UnitHold``).
struct ManagedSettings: Hashable {
    private(set) var restart = ""
    private(set) var forcedStatus = ""
    private(set) var watchdog = ""
    private(set) var runtimeMaximum = ""
    /// Its main process; 0 when there is none.
    private(set) var mainPid: Int32 = 0
    /// The timers, sockets and paths that start it.
    private(set) var triggers: [String] = []
    /// The units that start it whenever it is not active.
    private(set) var upholders: [String] = []
    /// The units that are started when it fails, as one that is killed does.
    private(set) var onFailure: [String] = []
    /// Where its processes stand; empty when it has none.
    private(set) var group = ""
    /// The drop-ins that the manager has taken up.
    private(set) var dropIns: [String] = []

    init(parsing bytes: [UInt8]) {
        for line in ManagedSettings.lines(bytes) {
            guard let equals = line.firstIndex(of: "=") else { continue }
            let value = String(line[line.index(after: equals)...])
            switch line[..<equals] {
            case "Restart": restart = value
            case "RestartForceExitStatus": forcedStatus = value
            case "WatchdogUSec": watchdog = value
            case "RuntimeMaxUSec": runtimeMaximum = value
            case "MainPID": mainPid = Int32(value) ?? 0
            case "TriggeredBy": triggers = value.split(separator: " ").map(String.init)
            case "UpheldBy": upholders = value.split(separator: " ").map(String.init)
            case "OnFailure": onFailure = value.split(separator: " ").map(String.init)
            case "ControlGroup": group = value
            case "DropInPaths": dropIns = value.split(separator: " ").map(String.init)
            default: continue
            }
        }
    }

    static func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { String($0.trimmed) }
    }

    /// Whether it has a watchdog, which kills it when it stays silent.
    var isWatched: Bool { !["0", "infinity", ""].contains(watchdog) }

    /// What restarts, kills or replaces it besides its triggers, in words; `nil` when nothing does.
    var cause: String? {
        var causes: [String] = []
        if restart != "no" { causes.append("Restart=\(restart)") }
        if !forcedStatus.isEmpty { causes.append("RestartForceExitStatus=\(forcedStatus)") }
        if isWatched { causes.append("WatchdogSec=\(watchdog)") }
        if !["infinity", ""].contains(runtimeMaximum) { causes.append("RuntimeMaxSec=\(runtimeMaximum)") }
        if !upholders.isEmpty { causes.append("Upholds= of \(upholders.joined(separator: ", "))") }
        if !onFailure.isEmpty { causes.append("OnFailure=\(onFailure.joined(separator: " "))") }
        return causes.isEmpty ? nil : causes.joined(separator: " and ")
    }

    /// Whether the manager has taken up that drop-in, and so its condition.
    func has(_ dropIn: BytePath) -> Bool { dropIns.contains { BytePath($0) == dropIn } }

    /// Whether a drop-in of Quell's stands.
    var isHeldBefore: Bool { dropIns.contains { $0.contains("/run/systemd/system/") && $0.contains("/zz-quell-") } }

    /// What still restarts or kills it; `nil` when nothing does.
    var reason: String? {
        if restart != "no" { return "systemd still has Restart=\(restart)" }
        if !forcedStatus.isEmpty { return "systemd still has RestartForceExitStatus=\(forcedStatus)" }
        if !["infinity", ""].contains(runtimeMaximum) {
            return "systemd keeps RuntimeMaxSec=\(runtimeMaximum) and ends it then"
        }
        if isWatched {
            return "systemd keeps WatchdogSec=\(watchdog) and kills it when it stays silent for so long"
        }
        return nil
    }
}
