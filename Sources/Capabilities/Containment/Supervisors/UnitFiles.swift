internal import Base
internal import Glibc
internal import Kernel

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
        for dropIn in dropIns(of: name) {
            guard let bytes = read(dropIn) else { continue }
            settings.apply(bytes)
            places.append("/" + dropIn)
        }
        guard let reason = settings.reason else { return triggered(component, name) }
        return Supervisor(
            kind: .systemdUnit,
            name: component,
            detail: "\(reason) in \(places.joined(separator: ", "))",
            process: nil
        )
    }

    /// A service that something starts by the clock, on a connection or by a path. Whether that is active, the manager
    /// knows; where there is none, nothing is.
    private func triggered(_ component: BytePath, _ name: String) -> Supervisor? {
        guard SupervisorSearch.isFolder(root.appending("run/systemd/system")) else { return nil }
        var found: Set<String> = []
        let stem = name.dropLast(".service".count)
        let ends = [".timer", ".socket", ".path"]
        for folder in UnitFiles.folders {
            for file in files(folder, ends: ends) {
                guard let end = ends.first(where: file.hasSuffix), let text = read("\(folder)/\(file)") else {
                    continue
                }
                var starts = UnitTrigger(of: "\(file.dropLast(end.count)).service")
                starts.apply(text)
                let own = UnitFiles.template(of: name)
                let isTemplate = own.map { $0 == starts.unit } ?? false
                if starts.unit == name { found.insert(file) }
                if isTemplate, let at = stem.firstIndex(of: "@") { found.insert("\(stem[...at])*\(end)") }
            }
        }
        guard !found.isEmpty else { return nil }
        return Supervisor(
            kind: .systemdUnit,
            name: component,
            detail: "\(found.sorted().joined(separator: ", ")) starts it",
            process: nil
        )
    }

    private static func template(of name: String) -> String? {
        guard let at = name.firstIndex(of: "@"), let dot = name.lastIndex(of: "."), at < dot else { return nil }
        return String(name[...at]) + String(name[dot...])
    }

    /// Whether a unit of that name, or its template, stands in one of the folders.
    func isKnown(_ name: String) -> Bool {
        [name, UnitFiles.template(of: name)].compactMap { $0 }.contains { unit in
            UnitFiles.folders.contains { read("\($0)/\(unit)") != nil }
        }
    }

    /// The drop-ins in the order in which they are applied: by file name over all folders; of one name only the first
    /// counts, also when it is there to mask the others.
    private func dropIns(of name: String) -> [String] {
        var found: [String: String] = [:]
        for folder in UnitFiles.folders {
            for unit in [name, UnitFiles.template(of: name), "service"].compactMap({ $0 }) {
                for file in files("\(folder)/\(unit).d", ends: [".conf"]) where found[file] == nil {
                    found[file] = "\(folder)/\(unit).d/\(file)"
                }
            }
        }
        return found.sorted { $0.key < $1.key }.map(\.value)
    }

    private func files(_ folder: String, ends: [String]) -> [String] {
        let path = root.appending(folder)
        var names: [String] = []
        do throws(Failure) {
            let directory = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY)
            try directory.forEachEntry(of: path) { name, _ throws(Failure) in
                if let text = BytePath(name).text, ends.contains(where: text.hasSuffix) { names.append(text) }
            }
        } catch {
            return []
        }
        return names
    }

    private func read(_ path: String) -> [UInt8]? { RegularFile.read(root.appending(path), limit: 1 << 20) }
}

/// The settings of a unit that restart or kill it; the last assignment wins.
struct UnitSettings {
    private var restart = "no"
    private var watchdog = "0"
    private var runtimeMaximum = "infinity"
    private var forcedStatus: [String] = []

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
            case "RestartForceExitStatus": forcedStatus = value.isEmpty ? [] : forcedStatus + [value]
            case "RuntimeMaxSec": runtimeMaximum = value.isEmpty ? "infinity" : value
            default: continue
            }
        }
    }

    var reason: String? {
        var reasons: [String] = []
        if restart != "no" { reasons.append("Restart=\(restart)") }
        if watchdog.contains(where: { $0 != "0" }) { reasons.append("WatchdogSec=\(watchdog)") }
        if runtimeMaximum != "infinity" { reasons.append("RuntimeMaxSec=\(runtimeMaximum)") }
        if !forcedStatus.isEmpty { reasons.append("RestartForceExitStatus=\(forcedStatus.joined(separator: " "))") }
        return reasons.isEmpty ? nil : reasons.joined(separator: " and ")
    }
}

/// What a timer, a socket or a path starts: the service of its own name, unless it says another. Sources:
/// systemd.timer(5), systemd.socket(5), systemd.path(5).
struct UnitTrigger {
    private(set) var unit: String

    init(of unit: String) { self.unit = unit }

    mutating func apply(_ bytes: [UInt8]) {
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let text = line.trimmed
            guard let equals = text.firstIndex(of: "="),
                ["Unit", "Service"].contains(text[..<equals].trimmed)
            else { continue }
            let value = String(text[text.index(after: equals)...].trimmed)
            if !value.isEmpty { unit = value }
        }
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
