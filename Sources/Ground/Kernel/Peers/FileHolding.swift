public import Base
internal import Glibc

/// One way in which a process holds a file.
public struct FileHolding: Hashable, Sendable, Codable {
    /// How it is held.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// As an open descriptor.
        case descriptor
        /// Mapped into its memory.
        case mapping
        /// As the program it executes.
        case executable
        /// As its working directory.
        case workingDirectory
        /// As its root directory.
        case root
    }

    /// How it is held.
    public let kind: Kind
    /// The number of the descriptor.
    public let descriptor: Int32?
    /// Whether the file has no name any more.
    public let isDeleted: Bool
    /// Whether it is only the name that agrees: a deleted file that had the path that was asked for.
    public let isByName: Bool

    /// Takes all parts.
    public init(_ kind: Kind, descriptor: Int32? = nil, isDeleted: Bool = false, isByName: Bool = false) {
        self.kind = kind
        self.descriptor = descriptor
        self.isDeleted = isDeleted
        self.isByName = isByName
    }
}

extension ProcessDirectory {
    /// In which ways the process holds a file, by device and inode: descriptors, those of threads with a table of their
    /// own too, mappings, program, directories. Only what may be the file by its number or name is looked at itself. The
    /// mappings are read last, and whoever holds the lock on its memory makes their reader wait: this is for a thread that
    /// may be lost.
    ///
    /// - Throws: `notFound` when the process has ended, `notPermitted` without the right to look.
    public func holdings(of file: SoughtFile) throws(Failure) -> Set<FileHolding> {
        var found: Set<FileHolding> = []
        var seen: Set<LinkedDescriptor> = []
        for thread in try threadIDs() {
            do throws(Failure) {
                try addDescriptors(of: "task/\(thread)", file, &seen, &found)
            } catch {
                // A thread that has ended holds nothing.
                guard error.code == .notFound || error.errno == ESRCH else { throw error }
            }
        }
        try addLinks(file, &found)
        if !found.contains(where: { $0.kind == .executable }) { try addMappings(file, &found) }
        return found
    }

    private struct LinkedDescriptor: Hashable {
        let number: Int32
        let target: BytePath
    }

    /// A thread that shares the table of another one has the same numbers with the same links, and is not looked at again.
    private func addDescriptors(
        of folder: String,
        _ file: SoughtFile,
        _ seen: inout Set<LinkedDescriptor>,
        _ found: inout Set<FileHolding>
    ) throws(Failure) {
        let path = BytePath("\(folder)/fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        for number in try table.numbers(in: path) {
            guard let target = try link("\(folder)/fd/\(number)") else { continue }
            guard seen.insert(LinkedDescriptor(number: number, target: target)).inserted else { continue }
            guard isCandidate(folder, number, target, file), let facts = look(at: "\(folder)/fd/\(number)") else {
                continue
            }
            if let holding = match(facts, target, file, .descriptor, number) { found.insert(holding) }
        }
    }

    /// By the inode's number in fdinfo (since Linux 5.14), which asks no filesystem; or by the name.
    private func isCandidate(_ folder: String, _ number: Int32, _ target: BytePath, _ file: SoughtFile) -> Bool {
        if target == file.path || target == file.deletedName { return true }
        guard let wanted = file.identity?.inode else { return false }
        do throws(Failure) {
            for line in try read("\(folder)/fdinfo/\(number)").split(separator: UInt8(ascii: "\n")) {
                guard line.starts(with: "ino:".utf8) else { continue }
                return Decimal.uint64(line.dropFirst(4).drop { $0 == UInt8(ascii: "\t") }) == wanted
            }
            return target.isAbsolute
        } catch {
            return false
        }
    }

    /// The program and, for a directory, where it stands.
    private func addLinks(_ file: SoughtFile, _ found: inout Set<FileHolding>) throws(Failure) {
        let isFolder = file.identity.map { $0.mode & S_IFMT == S_IFDIR } ?? false
        let links: [(String, FileHolding.Kind)] =
            isFolder ? [("cwd", .workingDirectory), ("root", .root)] : [("exe", .executable)]
        for (name, kind) in links {
            guard let target = try link(name) else { continue }
            // A root that everybody has says nothing about this process.
            if kind == .root, target == BytePath("/") { continue }
            guard isFolder || target == file.path || target == file.deletedName, let facts = look(at: name) else {
                continue
            }
            if let holding = match(facts, target, file, kind) { found.insert(holding) }
        }
    }

    private func addMappings(_ file: SoughtFile, _ found: inout Set<FileHolding>) throws(Failure) {
        for line in try read("maps", limit: 64 << 20).split(separator: UInt8(ascii: "\n")) {
            guard let mapping = Mapping(parsing: line), mapping.inode != 0 else { continue }
            let isNamed = mapping.path == file.path || mapping.path == file.deletedName
            guard isNamed || mapping.inode == file.identity?.inode else { continue }
            // The link tells the device as stat(2) does, which maps does not on every filesystem; it takes more rights.
            if let facts = look(at: "map_files/\(mapping.range)") {
                if let holding = match(facts, mapping.path, file, .mapping) { found.insert(holding) }
            } else if mapping.inode == file.identity?.inode, mapping.device == file.identity?.device {
                found.insert(FileHolding(.mapping))
            }
        }
    }

    /// What its filesystem has at hand, so that one that the session serves makes nobody wait.
    private func look(at name: String) -> FileFacts? {
        do throws(Failure) {
            return try FileNode(name, of: self).facts
        } catch {
            // What was closed meanwhile is not held.
            return nil
        }
    }

    private func match(
        _ facts: FileFacts,
        _ target: BytePath,
        _ file: SoughtFile,
        _ kind: FileHolding.Kind,
        _ number: Int32? = nil
    ) -> FileHolding? {
        let isDeleted = facts.links == 0
        let device = Mapping.device(UInt64(facts.identity.device.major), UInt64(facts.identity.device.minor))
        if let identity = file.identity, facts.identity.inode == identity.inode, device == identity.device {
            return FileHolding(kind, descriptor: number, isDeleted: isDeleted)
        }
        guard isDeleted, target == file.deletedName else { return nil }
        return FileHolding(kind, descriptor: number, isDeleted: true, isByName: true)
    }
}

/// One line of /proc/PID/maps: `from-to rights offset major:minor inode path`. Source: proc_pid_maps(5).
struct Mapping {
    let range: String
    let device: UInt64
    let inode: UInt64
    let path: BytePath

    init?(parsing line: some Collection<UInt8>) {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
        guard fields.count >= 5, let inode = Decimal.uint64(fields[4]) else { return nil }
        let numbers = fields[3].split(separator: UInt8(ascii: ":")).compactMap {
            UInt32(String(decoding: $0, as: UTF8.self), radix: 16)
        }
        guard numbers.count == 2 else { return nil }
        range = Mapping.link(fields[0])
        device = Mapping.device(UInt64(numbers[0]), UInt64(numbers[1]))
        self.inode = inode
        path = fields.count > 5 ? Mapping.unescaped(fields[5].drop { $0 == UInt8(ascii: " ") }) : BytePath("")
    }

    /// The name of the mapping in /proc/PID/map_files, which has no leading zeros.
    private static func link(_ range: some Collection<UInt8>) -> String {
        let ends = range.split(separator: UInt8(ascii: "-")).map { end in
            String(decoding: end.drop { $0 == UInt8(ascii: "0") }, as: UTF8.self)
        }
        return ends.map { $0.isEmpty ? "0" : $0 }.joined(separator: "-")
    }

    /// The number that stat(2) has for a device, makedev(3).
    static func device(_ major: UInt64, _ minor: UInt64) -> UInt64 {
        (major & ~0xfff) << 32 | (major & 0xfff) << 8 | (minor & ~0xff) << 12 | minor & 0xff
    }

    /// The kernel writes a line feed in a name as `\012` and leaves everything else as it is.
    private static func unescaped(_ bytes: some Collection<UInt8>) -> BytePath {
        let all = Array(bytes)
        var out: [UInt8] = []
        var index = 0
        while index < all.count {
            if all[index...].starts(with: "\\012".utf8) {
                out.append(UInt8(ascii: "\n"))
                index += 4
            } else {
                out.append(all[index])
                index += 1
            }
        }
        return BytePath(out)
    }
}
