internal import Base
internal import Glibc
internal import Kernel

/// The systemd that runs this machine, spoken to by its own `systemctl` in a child: a program of root's at a fixed path,
/// with an empty environment and a deadline. Sources: systemctl(1), systemd.unit(5), systemd.service(5), sd_booted(3).
struct SystemdManager {
    /// The program.
    let systemctl: BytePath
    private static let patience = Duration.seconds(5)

    /// Finds it below `root`, which is `/` but for tests.
    ///
    /// - Throws: `notFound` where systemd does not run the machine, `refused` when its program could be changed by others.
    init(root: BytePath) throws(Failure) {
        guard SupervisorSearch.isFolder(root.appending("run/systemd/system")) else {
            throw Failure(
                .notFound,
                "ask systemd",
                on: "/run/systemd/system",
                because: "systemd does not run this machine"
            )
        }
        systemctl = root.appending("usr/bin/systemctl")
        try RootOwned.check(systemctl, "start")
    }

    /// Takes one that was found before.
    init(_ systemctl: BytePath) { self.systemctl = systemctl }

    /// What the manager has for the service now: not what stands in files.
    func settings(of unit: String) throws(Failure) -> ManagedSettings {
        let names = "Restart,RestartForceExitStatus,WatchdogUSec,RuntimeMaxUSec,MainPID,TriggeredBy"
        let bytes = try run(["show", "--property=\(names)", "--", unit])
        return ManagedSettings(parsing: bytes)
    }

    /// Whether a timer, a socket or a path is active.
    func isActive(_ unit: String) throws(Failure) -> Bool {
        let bytes = try run(["show", "--property=ActiveState", "--", unit])
        return ManagedSettings.lines(bytes).contains { $0 == "ActiveState=active" }
    }

    func reload() throws(Failure) { _ = try run(["daemon-reload"]) }
    func stop(_ unit: String) throws(Failure) { _ = try run(["stop", "--", unit]) }
    func start(_ unit: String) throws(Failure) { _ = try run(["start", "--", unit]) }

    private func run(_ arguments: [String]) throws(Failure) -> [UInt8] {
        let output = try ChildProcess.run(
            .rootOwned(systemctl),
            arguments.map { BytePath($0) },
            limit: 1 << 16,
            by: Deadline(after: SystemdManager.patience)
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
            default: continue
            }
        }
    }

    static func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { String($0.trimmed) }
    }

    /// Whether it has a watchdog, which kills it when it stays silent.
    var isWatched: Bool { !["0", "infinity", ""].contains(watchdog) }

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
