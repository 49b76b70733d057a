public import Base
internal import Glibc
public import Kernel

/// Something that could start the session again, or kill it while it is frozen (RT4).
public struct Supervisor: Hashable, Sendable, Codable {
    /// What kind it is.
    public enum Kind: String, Sendable, Codable {
        /// A systemd unit with `Restart=` or `WatchdogSec=`.
        case systemdUnit
        /// A podman container with a restart policy or a health check that acts.
        case podmanPolicy
        /// A living parent outside the session whose business is to start things.
        case parentLoop
    }
    /// What kind it is.
    public let kind: Kind
    /// The unit, the container id or the name of the process.
    public let name: BytePath
    /// What was found: the setting and where it stands.
    public let detail: String
    /// The process, for a parent loop.
    public let process: ProcessPin?
}

/// Finds supervisors from cgroup paths, unit files, container stores and the leader's parent. Reads root-owned files of
/// the host only; runs after the freeze.
public enum Supervisors {
    /// Everything that could bring back a session that stands at these paths and has that leader. `responder` are
    /// Quell's own pid and its parents: the shell that waits for Quell restarts nothing meanwhile.
    public static func find(
        paths: [BytePath],
        leader: ProcessPin?,
        responder: Set<Int32>,
        root: BytePath,
        on host: Host
    ) -> [Supervisor] {
        var found: [Supervisor] = []
        for component in Set(paths.flatMap(\.components)).sorted() {
            if let unit = UnitFiles(root: root).supervisor(for: component) { found.append(unit) }
            if let policy = PodmanStore(root: root).supervisor(for: component) { found.append(policy) }
        }
        if let leader, let loop = parentLoop(of: leader, responder, on: host) { found.append(loop) }
        return found
    }

    static let starters: Set<String> = [
        "sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox", "supervisord", "runsv", "runsvdir",
        "s6-supervise",
        "s6-svscan", "monit", "god", "circusd", "pm2", "nodemon", "foreman", "forever", "tini", "dumb-init",
        "catatonit",
        "watch", "timeout", "cron", "crond", "atd", "perl", "python3", "python", "containerd-shim", "kubelet",
    ]

    static func parentLoop(of leader: ProcessPin, _ responder: Set<Int32>, on host: Host) -> Supervisor? {
        let scanner = ProcessScanner(host)
        guard let child = scanner.namedStat(of: leader.pid), child.pin == leader, child.numbers.parent > 1,
            !responder.contains(child.numbers.parent),
            let parent = scanner.namedStat(of: child.numbers.parent), !parent.numbers.isKernelThread,
            let name = parent.name.text, starters.contains(name) || name.hasPrefix("containerd-shim")
        else { return nil }
        return Supervisor(
            kind: .parentLoop,
            name: parent.name,
            detail: "process \(parent.pid) is the parent of the leader and may start it again",
            process: parent.pin
        )
    }
}

/// systemd's unit files, in systemd's order of precedence. Source: systemd.unit(5), systemd.service(5).
struct UnitFiles {
    let root: BytePath
    private static let folders = [
        "etc/systemd/system", "run/systemd/transient", "run/systemd/system", "usr/local/lib/systemd/system",
        "usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/user", "usr/lib/systemd/user",
    ]

    /// The supervisor that a path component such as `agent@7.service` stands for, when its unit restarts.
    func supervisor(for component: BytePath) -> Supervisor? {
        guard let name = component.text, name.hasSuffix(".service"), !name.contains("/") else { return nil }
        var settings = UnitSettings()
        var places: [String] = []
        for unit in [name, UnitFiles.template(of: name)].compactMap({ $0 }) where places.isEmpty {
            for folder in UnitFiles.folders {
                if let bytes = read("\(folder)/\(unit)") {
                    settings.apply(bytes)
                    places.append("/\(folder)/\(unit)")
                    break
                }
            }
        }
        for folder in UnitFiles.folders.reversed() {
            for unit in [UnitFiles.template(of: name), name].compactMap({ $0 }) {
                for dropIn in dropIns("\(folder)/\(unit).d") {
                    guard let bytes = read(dropIn) else { continue }
                    settings.apply(bytes)
                    places.append("/" + dropIn)
                }
            }
        }
        guard let reason = settings.reason else { return nil }
        return Supervisor(
            kind: .systemdUnit,
            name: component,
            detail: "\(reason) in \(places.joined(separator: ", "))",
            process: nil
        )
    }

    private static func template(of name: String) -> String? {
        guard let at = name.firstIndex(of: "@"), let dot = name.lastIndex(of: "."), at < dot else { return nil }
        return String(name[...at]) + String(name[dot...])
    }

    private func dropIns(_ folder: String) -> [String] {
        let path = root.appending(folder)
        var names: [String] = []
        do throws(Failure) {
            let directory = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY)
            try directory.forEachEntry(of: path) { name, _ throws(Failure) in
                if let text = BytePath(name).text, text.hasSuffix(".conf") { names.append("\(folder)/\(text)") }
            }
        } catch {
            return []
        }
        return names.sorted()
    }

    private func read(_ path: String) -> [UInt8]? { RegularFile.read(root.appending(path), limit: 1 << 20) }
}

/// The settings of a unit that restart or kill it; the last assignment wins.
struct UnitSettings {
    private var restart = "no"
    private var watchdog = "0"

    mutating func apply(_ bytes: [UInt8]) {
        var section = ""
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let text = line.trimmed
            if text.hasPrefix("["), text.hasSuffix("]") { section = String(text) }
            guard section == "[Service]", let equals = text.firstIndex(of: "=") else { continue }
            let value = String(text[text.index(after: equals)...].trimmed)
            switch text[..<equals].trimmed {
            case "Restart": restart = value.isEmpty ? "no" : value
            case "WatchdogSec": watchdog = value.isEmpty ? "0" : value
            default: continue
            }
        }
    }

    var reason: String? {
        var reasons: [String] = []
        if restart != "no" { reasons.append("Restart=\(restart)") }
        if watchdog.contains(where: { $0 != "0" }) { reasons.append("WatchdogSec=\(watchdog)") }
        return reasons.isEmpty ? nil : reasons.joined(separator: " and ")
    }
}

extension Substring {
    /// Without spaces, tabs and carriage returns at both ends.
    var trimmed: Substring {
        var text = self
        let blanks: Set<Character> = [" ", "\t", "\r"]
        while let first = text.first, blanks.contains(first) { text.removeFirst() }
        while let last = text.last, blanks.contains(last) { text.removeLast() }
        return text
    }
}

/// podman's container stores. The database is not opened but searched for the container's configuration, which podman
/// writes as one JSON text (bolt and SQLite alike); an old copy of a page can only name one supervisor too many.
struct PodmanStore {
    let root: BytePath
    private static let databases = [
        "var/lib/containers/storage/libpod/bolt_state.db", "var/lib/containers/storage/db.sql",
    ]

    /// The supervisor behind a path component such as `libpod-ID` or `libpod-ID.scope`.
    func supervisor(for component: BytePath) -> Supervisor? {
        guard let name = component.text, name.hasPrefix("libpod-") else { return nil }
        let id = name.dropFirst("libpod-".count).prefix { $0.isHexDigit }
        guard id.utf8.count == 64 else { return nil }
        for database in PodmanStore.databases {
            guard let bytes = RegularFile.read(root.appending(database), limit: 64 << 20) else { continue }
            if let setting = PodmanStore.setting(of: String(id), in: bytes) {
                return Supervisor(
                    kind: .podmanPolicy,
                    name: BytePath(String(id)),
                    detail: "\(setting) in /\(database)",
                    process: nil
                )
            }
        }
        return nil
    }

    /// Looks behind each `"id":"ID"` up to the next container's for a restart policy that restarts.
    static func setting(of id: String, in bytes: [UInt8]) -> String? {
        let start = Array("\"id\":\"\(id)\"".utf8)
        let next = Array("\"id\":\"".utf8)
        let policies = ["always", "on-failure", "unless-stopped"].map {
            ($0, Array("\"restart_policy\":\"\($0)\"".utf8))
        }
        let health = Array("\"health_check_on_failure_action\":".utf8)
        var position = 0
        while let found = bytes.firstRange(of: start, from: position) {
            let end = min(bytes.firstRange(of: next, from: found + start.count) ?? bytes.count, found + 262_144)
            let window = Array(bytes[found..<max(end, found + start.count)])
            for (policy, text) in policies where window.firstRange(of: text, from: 0) != nil {
                return "restart policy \(policy)"
            }
            if let action = window.firstRange(of: health, from: 0), action + health.count < window.count,
                window[action + health.count] > UInt8(ascii: "0")
            {
                return "a health check that acts on failure"
            }
            position = found + start.count
        }
        return nil
    }
}

extension [UInt8] {
    /// Where `needle` begins at or after `from`, or `nil`.
    fileprivate func firstRange(of needle: [UInt8], from: Int) -> Int? {
        withUnsafeBytes { haystack in
            needle.withUnsafeBytes { pattern -> Int? in
                guard let start = haystack.baseAddress, let wanted = pattern.baseAddress, let first = pattern.first
                else {
                    return nil
                }
                var position = from
                while position + pattern.count <= haystack.count {
                    let rest = haystack.count - pattern.count + 1 - position
                    guard let hit = memchr(start + position, Int32(first), rest) else { return nil }
                    position = UnsafeRawPointer(hit) - start
                    if memcmp(hit, wanted, pattern.count) == 0 { return position }
                    position += 1
                }
                return nil
            }
        }
    }
}

/// Reads host files that must be regular.
enum RegularFile {
    /// The bytes, or `nil` when there is no such regular file. Never blocks on a FIFO.
    static func read(_ path: BytePath, limit: Int) -> [UInt8]? {
        do throws(Failure) {
            let file = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK)
            guard try file.identity(of: path).mode & S_IFMT == S_IFREG else { return nil }
            return try file.readToEnd(limit: limit, from: path)
        } catch {
            return nil
        }
    }
}
