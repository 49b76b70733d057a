internal import Base
internal import Glibc
internal import Kernel

/// The tables that cron reads below a root: the users' own, by the users' names, and the system's. Sources: cron(8),
/// crontab(5) of Debian and of cronie.
struct CronTables {
    let root: BytePath
    private static let spools = ["var/spool/cron/crontabs", "var/spool/cron"]

    /// Every entry of a user's.
    func entries(of uid: UInt32) -> [(entry: CronEntry, line: CronLine)] {
        guard let name = name(of: uid) else { return [] }
        var found: [(entry: CronEntry, line: CronLine)] = []
        for spool in CronTables.spools {
            found += entries(in: root.appending("\(spool)/\(name)"), namesUser: false)
        }
        for table in [root.appending("etc/crontab")] + systemTables() {
            found += entries(in: table, namesUser: true).filter { $0.line.user == name }
        }
        return found
    }

    /// The name that passwd(5) has for a uid; no name service is asked.
    func name(of uid: UInt32) -> String? {
        guard let bytes = RegularFile.read(root.appending("etc/passwd"), limit: 4 << 20) else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 3, fields[2].elementsEqual(String(uid).utf8) else { continue }
            let name = String(decoding: fields[0], as: UTF8.self)
            // It becomes a part of a path.
            return name.isEmpty || name.hasPrefix(".") || name.contains("/") ? nil : name
        }
        return nil
    }

    private func entries(in table: BytePath, namesUser: Bool) -> [(entry: CronEntry, line: CronLine)] {
        guard let bytes = RegularFile.read(table, limit: 1 << 20) else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { text in
            CronLine(parsing: Array(text), namesUser: namesUser).map { line in
                (entry: CronEntry(table: table, line: BytePath(Array(text))), line: line)
            }
        }
    }

    /// cron reads only names of letters, digits, underscores and dashes.
    private func systemTables() -> [BytePath] {
        let folder = root.appending("etc/cron.d")
        var names: [BytePath] = []
        do throws(Failure) {
            let directory = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY)
            try directory.forEachEntry(of: folder) { name, _ throws(Failure) in
                let name = BytePath(name)
                let isRead = name.bytes.allSatisfy { isalnum(Int32($0)) != 0 || "_-".utf8.contains($0) }
                if isRead { names.append(name) }
            }
        } catch {
            return []
        }
        return names.sorted().map { folder.appending($0) }
    }
}
