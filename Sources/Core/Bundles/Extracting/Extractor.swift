import Base
import CArchive
import Glibc

/// Brings one archived root to disk in one pass: directories and files as they come, then the hard links whose file was
/// not asked for, then symbolic links, then what the directories are to be, from the inside out.
final class Extractor {
    private let bundle: VerifiedBundle
    private let root: String
    private let target: ExtractionTarget
    private let options: ExtractionOptions
    private(set) var report = ExtractionReport()
    private var directories: [ArchiveEntry] = []
    private var symlinks: [(entry: ArchiveEntry, target: BytePath)] = []
    /// Names that were asked for of files that were not, by the file.
    private var strangers: [BytePath: [ArchiveEntry]] = [:]
    private var made: Set<BytePath> = []
    private var matched: Set<BytePath> = []

    init(_ bundle: VerifiedBundle, root: String, to target: ExtractionTarget, _ options: ExtractionOptions) {
        self.bundle = bundle
        self.root = root
        self.target = target
        self.options = options
    }

    func run() throws(Failure) {
        let pass = try bundle.pass(over: root)
        while let entry = try failing({ () throws(Problem) in try pass.next() }) {
            if isWanted(entry) { try take(entry, EntryContent(pass)) }
        }
        try takeStrangers()
        for link in symlinks {
            try attempt(link.entry) { () throws(Failure) in try makeSymlink(link.entry, link.target) }
        }
        report.symlinks = UInt64(symlinks.count)
        for directory in directories.reversed() {
            try attempt(directory) { () throws(Failure) in try finish(directory, flags: O_RDONLY | O_DIRECTORY) }
        }
        report.unmatched = options.paths.filter { !matched.contains($0) }
    }

    /// Whether the entry was asked for; a directory also when something below it was.
    private func isWanted(_ entry: ArchiveEntry) -> Bool {
        if options.paths.isEmpty { return true }
        var isWanted = false
        for path in options.paths {
            if entry.path == path || entry.path.isAtOrBelow(path) {
                matched.insert(path)
                isWanted = true
            } else if entry.kind == .directory, entry.isRoot || path.isAtOrBelow(entry.path) {
                isWanted = true
            }
        }
        return isWanted
    }

    private func take(_ entry: ArchiveEntry, _ content: EntryContent) throws(Failure) {
        noteAttributes(of: entry)
        switch entry.kind {
        case .directory:
            if !entry.isRoot {
                guard try attempt(entry, { () throws(Failure) in try target.makeDirectory(entry.path) }) else { return }
            }
            report.directories += 1
            directories.append(entry)
        case .file(let size, _):
            guard try write(entry, at: entry.path, size: size, content) else { return }
            report.files += 1
            if entry.links > 1 { made.insert(entry.path) }
        case .hardLink(let original, _, _):
            guard made.contains(original) else {
                strangers[original, default: []].append(entry)
                return
            }
            if try attempt(entry, { () throws(Failure) in try target.link(original, to: entry.path) }) {
                report.hardLinks += 1
            }
        case .symlink(let target): symlinks.append((entry, target))
        case .fifo, .block, .character: try takeSpecial(entry)
        case .socket: report.leaveOut(entry.path, "a socket: archives hold none")
        }
    }

    /// Content whose first name was not asked for, or could not be made: a second pass finds it.
    private func takeStrangers() throws(Failure) {
        if strangers.isEmpty { return }
        let pass = try bundle.pass(over: root)
        while let entry = try failing({ () throws(Problem) in try pass.next() }) {
            guard case .file(let size, _) = entry.kind, let names = strangers[entry.path], let first = names.first
            else {
                continue
            }
            guard try write(entry, at: first.path, size: size, EntryContent(pass)) else { continue }
            report.files += 1
            for name in names.dropFirst() {
                if try attempt(name, { () throws(Failure) in try target.link(first.path, to: name.path) }) {
                    report.hardLinks += 1
                }
            }
        }
    }

    /// Writes one file. What cannot be written is remarked; what cannot be read ends the extraction.
    private func write(
        _ entry: ArchiveEntry,
        at path: BytePath,
        size: UInt64,
        _ content: EntryContent
    ) throws(Failure) -> Bool {
        var problem: Failure?
        var bytes: UInt64 = 0
        var isMade = false
        do throws(Failure) {
            let file = try target.makeFile(path)
            isMade = true
            let number = file.number
            try content.read { offset, piece throws(Failure) in
                if problem != nil { return }
                do throws(Failure) {
                    try Extractor.write(piece, to: number, at: offset, path)
                    bytes += UInt64(piece.count)
                } catch {
                    problem = error
                }
            }
            if problem == nil, ftruncate(number, off_t(clamping: size)) != 0 {
                problem = Failure(errno: errno, "give the file its size", on: path)
            }
            if problem == nil { try dress(number, as: entry) }
        } catch {
            guard error.code != .notVerified, error.code != .changed else { throw error }
            problem = error
        }
        report.bytes += bytes
        guard let problem else { return true }
        // Never what stood there before.
        if isMade { target.remove(path) }
        if Extractor.endsEverything(problem) { throw problem }
        report.fail(path, problem)
        return false
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer,
        to file: Int32,
        at offset: UInt64,
        _ path: BytePath
    ) throws(Failure) {
        var rest = bytes
        var position = off_t(clamping: offset)
        while !rest.isEmpty {
            let count = pwrite(file, rest.baseAddress, rest.count, position)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(errno: errno, "write the file", on: path) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            position += off_t(count)
        }
    }

    private func takeSpecial(_ entry: ArchiveEntry) throws(Failure) {
        guard options.makesDevices else {
            return report.leaveOut(entry.path, entry.kind == .fifo ? "a named pipe" : "a device")
        }
        let isMade = try attempt(entry) { () throws(Failure) in
            try target.within(entry.path) { parent, last throws(Failure) in
                let mode = mode_t(entry.kind.fileType) | mode_t(options.permissions(entry.mode))
                guard last.withCString({ mknodat(parent, $0, mode, entry.kind.deviceNumber) }) == 0 else {
                    throw Failure(errno: errno, "make the special file", on: entry.path)
                }
                try dressName(last, at: parent, as: entry)
            }
        }
        if isMade { report.special += 1 }
    }

    private func makeSymlink(_ entry: ArchiveEntry, _ text: BytePath) throws(Failure) {
        try target.within(entry.path) { parent, last throws(Failure) in
            let made = text.withCString { content in last.withCString { symlinkat(content, parent, $0) } }
            guard made == 0 else { throw Failure(errno: errno, "make the symbolic link", on: entry.path) }
            try dressName(last, at: parent, as: entry)
        }
    }

    /// Owner, permission bits, attributes and times, in this order: a new owner takes the setuid bit away, and setting
    /// anything moves no time of the content.
    private func dress(_ file: Int32, as entry: ArchiveEntry) throws(Failure) {
        if options.keepsOwners, fchown(file, entry.uid, entry.gid) != 0 {
            throw Failure(errno: errno, "give the file its owner", on: entry.path)
        }
        guard fchmod(file, mode_t(options.permissions(entry.mode))) == 0 else {
            throw Failure(errno: errno, "give the file its mode", on: entry.path)
        }
        for attribute in entry.attributes where options.objection(to: attribute.name) == nil {
            let set = attribute.name.withCString { fsetxattr(file, $0, attribute.value, attribute.value.count, 0) }
            guard set == 0 else { throw Failure(errno: errno, "give the file its attribute", on: attribute.name) }
        }
        var times = Extractor.times(entry)
        guard futimens(file, &times) == 0 else { throw Failure(errno: errno, "give the file its time", on: entry.path) }
    }

    /// Owner and time of what cannot be opened.
    private func dressName(_ last: BytePath, at parent: Int32, as entry: ArchiveEntry) throws(Failure) {
        if options.keepsOwners {
            let given = last.withCString { fchownat(parent, $0, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) }
            guard given == 0 else { throw Failure(errno: errno, "give it its owner", on: entry.path) }
        }
        var times = Extractor.times(entry)
        guard last.withCString({ utimensat(parent, $0, &times, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw Failure(errno: errno, "give it its time", on: entry.path)
        }
    }

    private func finish(_ directory: ArchiveEntry, flags: Int32) throws(Failure) {
        // The directory that was named stays for its owner alone.
        if directory.isRoot, target.isOutermost { return }
        let opened = try target.open(directory.isRoot ? BytePath("") : directory.path, flags: flags)
        try dress(opened.number, as: directory)
    }

    /// Tells what of a file is not set.
    private func noteAttributes(of entry: ArchiveEntry) {
        if case .hardLink = entry.kind { return }
        if options.permissions(entry.mode) != entry.mode { report.leaveOut(entry.path, "its setuid or setgid bit") }
        for attribute in entry.attributes {
            guard let objection = options.objection(to: attribute.name) else { continue }
            report.leaveOut(entry.path, "its attribute \(attribute.name): \(objection)")
        }
    }

    /// Does one thing; what fails is remarked unless nothing could go on after it.
    @discardableResult
    private func attempt(_ entry: ArchiveEntry, _ body: () throws(Failure) -> Void) throws(Failure) -> Bool {
        do throws(Failure) {
            try body()
            return true
        } catch {
            if Extractor.endsEverything(error) { throw error }
            report.fail(entry.path, error)
            return false
        }
    }

    private static func endsEverything(_ failure: Failure) -> Bool {
        switch failure.errno {
        case ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM: true
        default: false
        }
    }

    private static func times(_ entry: ArchiveEntry) -> [timespec] {
        let time = timespec(tv_sec: Int(entry.modified.seconds), tv_nsec: Int(entry.modified.nanoseconds))
        return [time, time]
    }
}

extension ArchiveEntry.Kind {
    /// The number of a device as the kernel packs it (makedev(3)); 0 for what is none.
    fileprivate var deviceNumber: dev_t {
        switch self {
        case .block(let major, let minor), .character(let major, let minor):
            let (high, low) = (dev_t(major), dev_t(minor))
            return (high & 0xFFFF_F000) << 32 | (high & 0xFFF) << 8 | (low & 0xFFFF_FF00) << 12 | low & 0xFF
        default: return 0
        }
    }
}
