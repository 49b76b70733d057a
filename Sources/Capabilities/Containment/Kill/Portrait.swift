internal import Base
internal import Glibc
internal import Kernel

/// What a process runs: what a copy of it has in common with it, wherever it was started (docs/decisions/0029). The kernel
/// knows the file and the user; the arguments lie in the process's own memory, where it can write over them.
struct Portrait {
    private let user: UInt32
    private let program: BytePath
    private let device: UInt64
    private let inode: UInt64
    /// Whether the file is one that the host's packages install, and so one that many run.
    private let isInstalled: Bool
    /// `nil` when they could not be read in time, or are none.
    var arguments: [BytePath]?

    /// How far another process looks like this one.
    enum Likeness {
        case none
        /// The same file as the same user, and nothing that tells the two apart for certain.
        case inDoubt(String)
        /// The same arguments besides.
        case same
    }

    /// Without arguments, which take their time. `nil` when nothing is executed: the process is just ending.
    ///
    /// - Throws: `notFound` or `changed` when it has ended.
    init?(_ pin: ProcessPin, isHeadless: Bool, on host: Host) throws(Failure) {
        let process = try ProcessDirectory(pin, on: host)
        guard let user = try process.status().uids.first else { return nil }
        // The first thread of whoever is headless has no files any more.
        let thread = isHeadless ? try Portrait.livingThread(of: process) : nil
        let link = thread.map { "task/\($0)/exe" } ?? "exe"
        guard let program = try process.link(link), let file = try process.executableFile(of: thread) else {
            return nil
        }
        self.user = user
        self.program = program
        device = file.device
        inode = file.inode
        isInstalled = ParentProgram.isRoots(program, file)
    }

    private static func livingThread(of process: borrowing ProcessDirectory) throws(Failure) -> Int32? {
        for thread in try process.threadIDs() {
            if try !process.threadStat(thread).numbers.isZombie { return thread }
        }
        return nil
    }

    /// Whether its arguments are worth being read.
    func mayBeLike(_ other: Portrait) -> Bool {
        user == other.user && (isSameFile(as: other) || program == other.program)
    }

    /// In a container made anew the same file has another number, so there the path counts, with the arguments. Where a
    /// file is installed, others run it too, for other ends: then arguments that nobody has written over tell them apart.
    func likeness(of other: Portrait) -> Likeness {
        guard mayBeLike(other) else { return .none }
        guard let mine = arguments, let theirs = other.arguments else {
            return .inDoubt("their arguments cannot be compared")
        }
        if mine == theirs { return .same }
        guard isSameFile(as: other) else { return .none }
        if isInstalled, namesItsFile, other.namesItsFile { return .none }
        return .inDoubt("its arguments are other ones, which a process can write over")
    }

    private func isSameFile(as other: Portrait) -> Bool { device == other.device && inode == other.inode }

    /// Whether the first argument is a name of the file, as a shell gives it: one that wrote a title over its arguments has
    /// lost that. Only the host's own folders are looked into.
    private var namesItsFile: Bool {
        guard let first = arguments?.first?.lastComponent.text else { return false }
        let name = first.hasPrefix("-") ? String(first.dropFirst()) : first
        return ["usr/bin", "usr/sbin", "bin", "sbin", "usr/local/bin", "usr/local/sbin"].contains { folder in
            var facts = stat()
            return stat("/\(folder)/\(name)", &facts) == 0 && UInt64(facts.st_dev) == device
                && UInt64(facts.st_ino) == inode
        }
    }
}
