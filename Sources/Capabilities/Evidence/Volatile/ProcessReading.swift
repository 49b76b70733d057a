import Base
import Glibc
import Kernel

/// All that is read of one process, on threads that may be left behind: its texts on one of their own, so that whoever
/// makes their reader wait hides nothing else.
struct ProcessReading: Sendable {
    /// Descriptors of one process that are listed; more are counted.
    static let mostDescriptors = 65_536
    /// Bytes of arguments, and of the environment, that are kept; a process may have six times as much (execve(2)).
    static let mostText = 1 << 20

    struct Descriptor: Sendable {
        let number: Int32
        let target: BytePath
        let facts: FileFacts?
        let position: UInt64?
        let flags: UInt32?

        /// Whether it leads to a regular file that has no name any more; a memfd never had one.
        var isDeletedFile: Bool { facts.map { $0.kind == .file && $0.links == 0 } ?? false }

        /// The inode of `socket:[N]`.
        var socketInode: UInt64? {
            let text = target.text ?? ""
            guard text.hasPrefix("socket:["), text.hasSuffix("]") else { return nil }
            return UInt64(text.dropFirst(8).dropLast())
        }
    }

    let stat: ProcessStat
    var status: ProcessStatus?
    var cgroups: [CgroupLine] = []
    var threads: [(stat: ProcessStat, cgroups: [CgroupLine])] = []
    var arguments: [BytePath] = []
    var environmentNames: [BytePath] = []
    var executable: BytePath?
    var executableFacts: FileFacts?
    /// By inode, not by the text ` (deleted)`, which any name can end in (RT35).
    var isExecutableDeleted: Bool { executableFacts.map { $0.kind == .file && $0.links == 0 } ?? false }
    var workingDirectory: BytePath?
    var mountNamespace: UInt64?
    var networkNamespace: UInt64?
    var descriptors: [Descriptor] = []
    /// The prefix below /proc/PID that files are reached by: `task/TID/` of a living thread when the leader is a zombie.
    var prefix = ""
    /// What could not be read.
    var gaps: [Failure] = []
    var descriptorsLeftOut = 0

    /// Reads the process that `pin` names.
    ///
    /// - Throws: `notFound` when it is gone, `changed` when its pid was used again.
    init(_ pin: ProcessPin, on host: Host) throws(Failure) {
        let process = try ProcessDirectory(pin, on: host)
        stat = try process.stat()
        var problems: [Failure] = []
        defer { gaps += problems }
        problems.take { () throws(Failure) in status = try process.status() }
        problems.take { () throws(Failure) in cgroups = try process.cgroups() }
        problems.take { () throws(Failure) in try readThreads(process) }
        // A leader that exited has no files; its threads share them (RT5).
        if stat.numbers.isZombie, let living = threads.first(where: { !$0.stat.numbers.isZombie }) {
            prefix = "task/\(living.stat.pid)/"
        }
        if stat.numbers.isZombie, prefix.isEmpty { return }
        problems.take { () throws(Failure) in mountNamespace = try process.namespaceInode(prefix, "mnt") }
        problems.take { () throws(Failure) in networkNamespace = try process.namespaceInode(prefix, "net") }
        problems.take { () throws(Failure) in executable = try process.link(prefix + "exe") }
        problems.take { () throws(Failure) in workingDirectory = try process.link(prefix + "cwd") }
        if executable != nil {
            problems.take { () throws(Failure) in executableFacts = try FileNode(prefix + "exe", of: process).facts }
        }
        problems.take { () throws(Failure) in try readDescriptors(process) }
    }

    /// Whether it has memory of its own, and with it arguments and an environment.
    var hasMemory: Bool { !stat.numbers.isZombie || !prefix.isEmpty }

    /// What stands in the memory of the process: whoever holds the lock on it makes everybody wait who reads it (RT7).
    struct Texts: Sendable {
        fileprivate(set) var arguments: [BytePath] = []
        fileprivate(set) var environmentNames: [BytePath] = []
        fileprivate(set) var gaps: [Failure] = []

        /// Reads the process that `pin` names, through `prefix` (see ``ProcessReading/prefix``).
        ///
        /// - Throws: `notFound` when it is gone, `changed` when its pid was used again.
        init(_ pin: ProcessPin, through prefix: String, on host: Host) throws(Failure) {
            let process = try ProcessDirectory(pin, on: host)
            let most = ProcessReading.mostText
            var problems: [Failure] = []
            var text: [UInt8] = []
            problems.take { () throws(Failure) in text = try process.contents(prefix + "cmdline", limit: most + 1) }
            arguments = ProcessReading.strings(problems.bound(text, to: most, "arguments", of: pin))
            text = []
            problems.take { () throws(Failure) in text = try process.contents(prefix + "environ", limit: most + 1) }
            environmentNames = ProcessReading.strings(problems.bound(text, to: most, "environment", of: pin))
                .compactMap(ProcessReading.environmentName)
            gaps = problems
        }
    }

    /// Takes the texts, or why there are none.
    mutating func take(_ texts: Result<Texts, Failure>) {
        switch texts {
        case .success(let texts):
            arguments = texts.arguments
            environmentNames = texts.environmentNames
            gaps += texts.gaps
        case .failure(let failure): gaps.append(failure)
        }
    }

    private mutating func readThreads(_ process: borrowing ProcessDirectory) throws(Failure) {
        for thread in try process.threadIDs().sorted() {
            do throws(Failure) {
                threads.append((try process.threadStat(thread), try process.threadCgroups(thread)))
            } catch {
                // A thread that ended between the list and the look is no gap.
                if error.code != .notFound { gaps.append(error) }
            }
        }
    }

    private mutating func readDescriptors(_ process: borrowing ProcessDirectory) throws(Failure) {
        let path = BytePath(prefix + "fd")
        let table = try process.open(prefix + "fd", O_RDONLY | O_DIRECTORY)
        let numbers = try table.numbers(in: path).sorted()
        descriptorsLeftOut = max(0, numbers.count - ProcessReading.mostDescriptors)
        for number in numbers.prefix(ProcessReading.mostDescriptors) {
            do throws(Failure) {
                guard let target = try process.link("\(prefix)fd/\(number)") else { continue }
                // O_PATH and what the filesystem has at hand: neither a FIFO nor a FUSE server is touched.
                let facts = try FileNode("\(prefix)fd/\(number)", of: process).facts
                let information = try process.contents("\(prefix)fdinfo/\(number)", limit: 65_536)
                descriptors.append(
                    Descriptor(
                        number: number,
                        target: target,
                        facts: facts,
                        position: ProcessReading.field("pos:", of: information, radix: 10),
                        flags: ProcessReading.field("flags:", of: information, radix: 8).map {
                            UInt32(truncatingIfNeeded: $0)
                        }
                    )
                )
            } catch {
                if error.code != .notFound { gaps.append(error) }
            }
        }
    }

    /// The name before `=`. An entry without one is dropped: a process can write anything there, a secret too.
    static func environmentName(_ entry: BytePath) -> BytePath? {
        entry.bytes.firstIndex(of: UInt8(ascii: "=")).map { BytePath(entry.bytes[..<$0]) }
    }

    static func strings(_ bytes: [UInt8]) -> [BytePath] {
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if bytes.isEmpty || bytes.last == 0 { parts.removeLast() }
        return parts.map { BytePath($0) }
    }

    private static func field(_ name: String, of bytes: [UInt8], radix: Int) -> UInt64? {
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: name.utf8) {
            let digits = line.dropFirst(name.utf8.count).filter { $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: " ") }
            return UInt64(String(decoding: digits, as: UTF8.self), radix: radix)
        }
        return nil
    }
}

extension ProcessDirectory {
    /// The inode in `mnt:[4026531841]`; `nil` when the process has no such namespace any more.
    fileprivate borrowing func namespaceInode(_ prefix: String, _ kind: String) throws(Failure) -> UInt64? {
        guard let text = try link("\(prefix)ns/\(kind)")?.text else { return nil }
        return UInt64(text.drop { $0 != "[" }.dropFirst().prefix { $0 != "]" })
    }
}

extension [Failure] {
    /// Runs `body` and keeps its failure.
    fileprivate mutating func take(_ body: () throws(Failure) -> Void) {
        do throws(Failure) { try body() } catch { append(error) }
    }

    /// The first `limit` bytes; that there are more is a failure to keep.
    fileprivate mutating func bound(_ bytes: [UInt8], to limit: Int, _ what: String, of pin: ProcessPin) -> [UInt8] {
        guard bytes.count > limit else { return bytes }
        append(Failure(.refused, "read the \(what)", on: "\(pin.pid)", because: "longer than \(limit) bytes: cut"))
        return [UInt8](bytes[..<limit])
    }
}
