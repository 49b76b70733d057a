public import Base
internal import Glibc

/// One lock on a file as the kernel lists it (proc_locks(5)).
public struct FileLock: Hashable, Sendable, Codable {
    /// Which kind: POSIX, FLOCK, OFDLCK, LEASE, DELEG, ACCESS.
    public let kind: String
    /// READ, WRITE, RW or what the kernel says.
    public let mode: String
    /// Who took it; `nil` for a lock of an open file description, and for one whose taker is not in sight.
    public let pid: Int32?
    /// The filesystem and the inode, `MAJOR:MINOR:INODE` in the kernel's own form.
    public let file: String
    /// How many wait for it.
    public var waiting: Int

    /// Takes all parts.
    public init(kind: String, mode: String, pid: Int32?, file: String, waiting: Int = 0) {
        self.kind = kind
        self.mode = mode
        self.pid = pid
        self.file = file
        self.waiting = waiting
    }

    /// Reads /proc/locks; lines that are not of the known form are left out. Those that wait (`->`) stand below the lock
    /// that they wait for.
    public static func parse(_ bytes: [UInt8]) -> [FileLock] {
        var found: [FileLock] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
            guard words.count > 1, words[0].hasSuffix(":") else { continue }
            if words[1] == "->" {
                if !found.isEmpty { found[found.count - 1].waiting += 1 }
                continue
            }
            // "1:" "POSIX" "ADVISORY" "WRITE" "1234" "fe:00:131" "0" "EOF"
            guard words.count >= 6, let pid = Int32(words[4]) else { continue }
            found.append(FileLock(kind: words[1], mode: words[3], pid: pid > 0 ? pid : nil, file: words[5]))
        }
        return found
    }
}

extension Host {
    /// Every lock on a file of this machine, from Quell's own procfs.
    public func fileLocks() throws(Failure) -> [FileLock] {
        let path = BytePath("locks")
        let file = try proc.descriptor.open(path, O_RDONLY, to: "read the locks")
        return FileLock.parse(try file.readToEnd(from: path))
    }
}

extension ProcessDirectory {
    /// The locks that its descriptors stand for, with the path of each as the kernel prints it: those that it took, and
    /// those that it inherited. Nothing is opened.
    ///
    /// - Throws: `timedOut` when the deadline passes before all are read.
    public func locks(limit: Int = 4096, by deadline: Deadline) throws(Failure) -> [(lock: FileLock, path: BytePath)] {
        let path = BytePath("fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        var found: [(lock: FileLock, path: BytePath)] = []
        for number in try table.numbers(in: path).prefix(limit) {
            guard !deadline.hasPassed else {
                throw Failure(.timedOut, "read the locks of process", on: "\(pid)", because: "no time was left")
            }
            guard let target = try link("fd/\(number)"), target.isAbsolute else { continue }
            do throws(Failure) {
                for line in try read("fdinfo/\(number)").split(separator: UInt8(ascii: "\n"))
                where line.starts(with: "lock:".utf8) {
                    let text = line.dropFirst(5).drop { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
                    found += FileLock.parse(Array(text)).map { ($0, target) }
                }
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return found
    }
}
