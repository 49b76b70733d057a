public import Base
internal import Glibc

/// Which ends of a pipe a process holds.
public struct PipeEnds: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt8

    /// Takes the bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// It can read what others write.
    public static let reads = PipeEnds(rawValue: 1)
    /// It can write what others read.
    public static let writes = PipeEnds(rawValue: 2)
}

/// What a process could hang others with when it is frozen, by the descriptor that gives it the power (RT23).
public enum ServingDescriptor: String, Hashable, Sendable, Codable, CaseIterable {
    /// It answers for a FUSE filesystem.
    case fuse
    /// It permits or denies what others open, through fanotify(7).
    case fanotify
    /// It answers system calls of others, through seccomp_unotify(2).
    case seccompListener
    /// It answers for a block device: ublk or NBD.
    case blockDevice
    /// It fills pages of memory for others, through userfaultfd(2).
    case userfaultfd
}

/// A named FIFO that a process has open.
public struct HeldFIFO: Hashable, Sendable {
    /// Its path as the kernel prints it for that process.
    public var path: BytePath
    /// The ends that it holds.
    public var ends: PipeEnds

    /// Takes both parts.
    public init(path: BytePath, ends: PipeEnds) {
        self.path = path
        self.ends = ends
    }
}

/// Which named FIFOs are looked for: each file whose link is a path costs a look at itself.
public enum FIFOSearch: Sendable {
    /// All that are open.
    case all
    /// Those with one of these inodes, of whatever filesystem.
    case among(Set<UInt64>)
}

/// What joins a process to others, as its descriptors tell it: links and fdinfo of procfs are read, nothing is opened.
public struct DescriptorJoints: Sendable {
    /// The inodes of its sockets.
    public var sockets: Set<UInt64> = []
    /// Its anonymous pipes by inode, with the ends that it holds.
    public var pipes: [UInt64: PipeEnds] = [:]
    /// Its named FIFOs, as far as they were looked for.
    public var fifos: [FileIdentity: HeldFIFO] = [:]
    /// What it serves by other descriptors than sockets.
    public var serving: Set<ServingDescriptor> = []

    /// Starts with nothing.
    public init() {}
}

extension ProcessDirectory {
    /// What joins it to others. Of a process whose first thread has ended a living thread is asked (RT5). The links of
    /// named FIFOs look like those of any file, so what may be one is looked at itself; nothing of it is opened, and a
    /// filesystem that somebody serves is not asked.
    ///
    /// - Throws: `notFound` when the process has ended, `notPermitted` without the right to look, `timedOut` when the
    ///   deadline passes before all are read.
    public func joints(fifos wanted: FIFOSearch, by deadline: Deadline) throws(Failure) -> DescriptorJoints {
        var found = DescriptorJoints()
        if try add(&found, wanted, "fd", deadline) > 0 { return found }
        for thread in try threadIDs() where thread != pid {
            if try add(&found, wanted, "task/\(thread)/fd", deadline) > 0 { break }
        }
        return found
    }

    /// Gives how many descriptors there are.
    private func add(
        _ found: inout DescriptorJoints,
        _ wanted: FIFOSearch,
        _ name: String,
        _ deadline: Deadline
    ) throws(Failure) -> Int {
        let path = BytePath(name)
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        var count = 0
        for number in try table.numbers(in: path) {
            count += 1
            if deadline.hasPassed {
                throw Failure(.timedOut, "list the open files of process", on: "\(pid)", because: "no time was left")
            }
            guard let target = try link("\(name)/\(number)") else { continue }
            if let socket = target.socketInode {
                found.sockets.insert(socket)
            } else if let pipe = target.inode(after: "pipe:[") {
                found.pipes[pipe, default: []].formUnion(ends(table, number))
            } else if let served = serving(target, name, number) {
                found.serving.insert(served)
            } else if target.isAbsolute, let fifo = fifo(name, number, wanted) {
                found.fifos[fifo, default: HeldFIFO(path: target, ends: [])].ends.formUnion(ends(table, number))
            }
        }
        return count
    }

    /// Which FIFO a descriptor is of; `nil` when it is of another file, or of a FIFO that is not wanted.
    private func fifo(_ name: String, _ number: Int32, _ wanted: FIFOSearch) -> FileIdentity? {
        if case .among(let inodes) = wanted {
            guard !inodes.isEmpty, mayBe(inodes, "\(name.dropLast(2))fdinfo/\(number)") else { return nil }
        }
        do throws(Failure) {
            let facts = try FileNode("\(name)/\(number)", of: self).facts
            return facts.kind == .fifo ? facts.identity : nil
        } catch {
            // What was closed meanwhile, or may not be looked at, joins nobody that we could name.
            return nil
        }
    }

    /// By the inode's number in fdinfo, which asks no filesystem; kernels before Linux 5.14 do not tell it.
    private func mayBe(_ inodes: Set<UInt64>, _ info: String) -> Bool {
        do throws(Failure) {
            for line in try read(info).split(separator: UInt8(ascii: "\n")) where line.starts(with: "ino:".utf8) {
                let number = Decimal.uint64(line.dropFirst(4).drop { $0 == UInt8(ascii: "\t") })
                return number.map(inodes.contains) ?? true
            }
            return true
        } catch {
            return false
        }
    }

    /// The permission bits of the link are the mode of the descriptor (proc_pid_fd(5)).
    private func ends(_ table: borrowing Descriptor, _ number: Int32) -> PipeEnds {
        var facts = Glibc.stat()
        guard fstatat(table.number, String(number), &facts, AT_SYMLINK_NOFOLLOW) == 0 else { return [] }
        var ends: PipeEnds = []
        if facts.st_mode & S_IRUSR != 0 { ends.insert(.reads) }
        if facts.st_mode & S_IWUSR != 0 { ends.insert(.writes) }
        return ends
    }

    private func serving(_ target: BytePath, _ name: String, _ number: Int32) -> ServingDescriptor? {
        guard let text = target.text else { return nil }
        switch text {
        case "/dev/fuse": return .fuse
        case "anon_inode:seccomp notify": return .seccompListener
        case "anon_inode:[userfaultfd]": return .userfaultfd
        case "anon_inode:[fanotify]":
            return permits("\(name.dropLast(2))fdinfo/\(number)") ? .fanotify : nil
        default:
            let isBlock = text.hasPrefix("/dev/ublkc") || text.hasPrefix("/dev/nbd")
            return isBlock ? .blockDevice : nil
        }
    }

    /// Whether a fanotify group may deny: its class is not that of mere notices (FAN_CLASS_CONTENT 4, PRE_CONTENT 8).
    private func permits(_ info: String) -> Bool {
        do throws(Failure) {
            for line in try read(info).split(separator: UInt8(ascii: "\n")) {
                let text = String(decoding: line, as: UTF8.self)
                guard text.hasPrefix("fanotify flags:") else { continue }
                let word = text.dropFirst("fanotify flags:".count).prefix { $0 != " " }
                return (UInt32(word.hasPrefix("0x") ? word.dropFirst(2) : word, radix: 16) ?? 0) & 0xC != 0
            }
            return false
        } catch {
            // A descriptor that cannot be looked at any more was closed.
            return false
        }
    }
}

extension BytePath {
    /// N of a link text such as `pipe:[N]`, for the text up to N.
    func inode(after prefix: String) -> UInt64? {
        guard bytes.starts(with: prefix.utf8), bytes.last == UInt8(ascii: "]") else { return nil }
        return Decimal.uint64(bytes[prefix.utf8.count..<bytes.count - 1])
    }
}
