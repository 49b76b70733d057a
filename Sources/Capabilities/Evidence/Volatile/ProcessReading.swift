import Base
import Glibc
import Kernel

/// All that is read of one process, on threads that may be left behind: what stands in its memory, what its threads
/// wait for and what it has mapped each on one of their own, so that whoever makes their reader wait hides nothing else.
struct ProcessReading: Sendable {
    /// Descriptors of one process that are listed; more are counted.
    static let mostDescriptors = 65_536
    /// Bytes of arguments, and of the environment, that are kept; a process may have six times as much (execve(2)).
    static let mostText = 1 << 20
    /// Bytes of a status file: one line of it has all supplementary groups, of which there are up to 65,536.
    static let mostStatus = 1 << 20
    /// Bytes of the limits, and of what is told of one descriptor.
    private static let mostLimits = 65_536
    private static let mostInformation = 262_144

    struct Descriptor: Sendable {
        let number: Int32
        let target: BytePath
        let facts: FileFacts?
        let information: DescriptorInformation

        /// Whether it leads to a regular file that has no name any more; a memfd never had one.
        var isDeletedFile: Bool { facts.map { $0.kind == .file && $0.links == 0 } ?? false }

        /// The inode of `socket:[N]`.
        var socketInode: UInt64? { number(after: "socket:[") }

        /// N of a link text such as `net:[N]`, for the text up to N.
        func number(after prefix: String) -> UInt64? {
            let text = target.text ?? ""
            guard text.hasPrefix(prefix), text.hasSuffix("]") else { return nil }
            return UInt64(text.dropFirst(prefix.count).dropLast())
        }
    }

    /// A directory or file that a process stands on: its working directory, root or executable.
    struct Footing: Sendable {
        let path: BytePath
        /// `nil` when it could not be looked at.
        let facts: FileFacts?

        /// By inode, not by the text ` (deleted)`, which any name can end in (RT35).
        var isDeleted: Bool { facts.map { $0.links == 0 } ?? false }
    }

    let stat: ProcessStat
    var status: StatusFacts?
    var limits: ResourceLimits?
    var cgroups: [CgroupLine] = []
    var threads: [(stat: ProcessStat, cgroups: [CgroupLine])] = []
    var depths: [Int32: ThreadDepths] = [:]
    var arguments: [BytePath] = []
    var environment: [ToldVariable] = []
    /// Entries of the environment without `=`: counted and dropped, a process can write anything there, a secret too.
    var unnamedEntries = 0
    var executable: Footing?
    var workingDirectory: Footing?
    var root: Footing?
    /// Inodes of namespaces by their names in /proc/PID/ns.
    var namespaces: [String: UInt64] = [:]
    var descriptors: [Descriptor] = []
    /// What is mapped and has no name.
    var mapped: [MappedFile] = []
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
        problems.take { () throws(Failure) in
            let (bytes, cut) = try process.bounded("status", limit: ProcessReading.mostStatus)
            status = StatusFacts(parsing: bytes)
            if let cut { gaps.append(cut) }
        }
        problems.take { () throws(Failure) in cgroups = try process.cgroups() }
        problems.take { () throws(Failure) in try readThreads(process) }
        // A leader that exited has no files; its threads share them (RT5).
        if stat.numbers.isZombie, let living = threads.first(where: { !$0.stat.numbers.isZombie }) {
            prefix = "task/\(living.stat.pid)/"
        }
        if stat.numbers.isZombie, prefix.isEmpty { return }
        problems.take { () throws(Failure) in
            let (bytes, cut) = try process.bounded(prefix + "limits", limit: ProcessReading.mostLimits)
            limits = ResourceLimits(parsing: bytes)
            if let cut { gaps.append(cut) }
        }
        problems.take { () throws(Failure) in try readNamespaces(process) }
        problems.take { () throws(Failure) in executable = try footing("exe", process, &gaps) }
        problems.take { () throws(Failure) in workingDirectory = try footing("cwd", process, &gaps) }
        problems.take { () throws(Failure) in root = try footing("root", process, &gaps) }
        problems.take { () throws(Failure) in try readDescriptors(process) }
    }

    /// Whether it has memory of its own, and with it arguments and an environment.
    var hasMemory: Bool { !stat.numbers.isZombie || !prefix.isEmpty }

    /// The namespaces whose tables are read for all their processes together.
    var mountNamespace: UInt64? { namespaces["mnt"] }
    var networkNamespace: UInt64? { namespaces["net"] }

    private func footing(
        _ name: String,
        _ process: borrowing ProcessDirectory,
        _ gaps: inout [Failure]
    ) throws(Failure) -> Footing? {
        guard let path = try process.link(prefix + name) else { return nil }
        var facts: FileFacts?
        // O_PATH and what the filesystem has at hand: neither a FIFO nor a FUSE server is touched.
        gaps.take { () throws(Failure) in facts = try FileNode(prefix + name, of: process).facts }
        return Footing(path: path, facts: facts)
    }

    private mutating func readNamespaces(_ process: borrowing ProcessDirectory) throws(Failure) {
        let names = NamespaceKind.allCases.map(\.rawValue) + ["time", "time_for_children", "pid_for_children"]
        for name in names {
            // `mnt:[4026531841]`; a kind that this kernel has not has no link.
            guard let text = try process.link("\(prefix)ns/\(name)")?.text else { continue }
            namespaces[name] = UInt64(text.drop { $0 != "[" }.dropFirst().prefix { $0 != "]" })
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
        var budget = DescriptorInformation.mostBytes
        for number in numbers.prefix(ProcessReading.mostDescriptors) {
            do throws(Failure) {
                guard let target = try process.link("\(prefix)fd/\(number)") else { continue }
                let facts = try FileNode("\(prefix)fd/\(number)", of: process).facts
                let name = "\(prefix)fdinfo/\(number)"
                let (information, cut) = try process.bounded(name, limit: ProcessReading.mostInformation)
                if let cut { gaps.append(cut) }
                descriptors.append(
                    Descriptor(
                        number: number,
                        target: target,
                        facts: facts,
                        information: DescriptorInformation(parsing: information, within: &budget)
                    )
                )
            } catch {
                if error.code != .notFound { gaps.append(error) }
            }
        }
    }
}

/// What stands in the memory of a process: whoever holds the lock on it makes everybody wait who reads it (RT7).
struct ProcessTexts: Sendable {
    fileprivate(set) var arguments: [BytePath] = []
    fileprivate(set) var environment: [ToldVariable] = []
    fileprivate(set) var unnamedEntries = 0
    fileprivate(set) var gaps: [Failure] = []

    /// Reads the process that `pin` names, through `prefix` (see ``ProcessReading/prefix``). Values of variables and
    /// arguments that look like secrets end here: they become digests.
    ///
    /// - Throws: `notFound` when it is gone, `changed` when its pid was used again.
    init(_ pin: ProcessPin, through prefix: String, _ digest: SecretDigest, on host: Host) throws(Failure) {
        let process = try ProcessDirectory(pin, on: host)
        let most = ProcessReading.mostText
        var problems: [Failure] = []
        var text: [UInt8] = []
        problems.take { () throws(Failure) in text = try process.contents(prefix + "cmdline", limit: most + 1) }
        var withheld = SecretText(digest)
        arguments = withheld.redact(ProcessTexts.strings(problems.bound(text, to: most, "arguments", of: pin)))
        text = []
        problems.take { () throws(Failure) in text = try process.contents(prefix + "environ", limit: most + 1) }
        let entries = ProcessTexts.strings(problems.bound(text, to: most, "environment", of: pin))
        environment = entries.enumerated().compactMap { ToldVariable($1, number: $0, digest) }
        unnamedEntries = entries.count - environment.count
        gaps = problems
    }

    static func strings(_ bytes: [UInt8]) -> [BytePath] {
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if bytes.isEmpty || bytes.last == 0 { parts.removeLast() }
        return parts.map { BytePath($0) }
    }
}

extension ProcessReading {
    /// Takes the texts, or why there are none.
    mutating func take(_ texts: Result<ProcessTexts, Failure>) {
        switch texts {
        case .success(let texts):
            arguments = texts.arguments
            environment = texts.environment
            unnamedEntries = texts.unnamedEntries
            gaps += texts.gaps
        case .failure(let failure): gaps.append(failure)
        }
    }
}

extension [Failure] {
    /// Runs `body` and keeps its failure.
    mutating func take(_ body: () throws(Failure) -> Void) {
        do throws(Failure) { try body() } catch { append(error) }
    }

    /// The first `limit` bytes; that there are more is a failure to keep.
    fileprivate mutating func bound(_ bytes: [UInt8], to limit: Int, _ what: String, of pin: ProcessPin) -> [UInt8] {
        guard bytes.count > limit else { return bytes }
        append(Failure(.refused, "read the \(what)", on: "\(pin.pid)", because: "longer than \(limit) bytes: cut"))
        return [UInt8](bytes[..<limit])
    }
}
