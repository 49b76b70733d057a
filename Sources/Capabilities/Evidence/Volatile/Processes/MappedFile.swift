import Base
import Kernel

/// A line of /proc/PID/maps. Source: proc_pid_maps(5).
struct MapLine: Hashable, Sendable {
    /// `7f00-7f10`, as the name in map_files wants it: without leading zeros.
    let range: String
    /// Bytes.
    let length: UInt64
    /// `rw-s`.
    let permissions: String
    let offset: UInt64
    /// `fe:00` as the kernel prints it, hexadecimal.
    let device: String
    let inode: UInt64
    /// What is mapped, with the kernel's escapes of line feeds.
    let target: BytePath

    /// `nil` for a line of another form.
    init?(parsing line: ArraySlice<UInt8>) {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count >= 5 else { return nil }
        let words = fields.prefix(5).map { String(decoding: $0, as: UTF8.self) }
        let ends = words[0].split(separator: "-")
        guard ends.count == 2, let low = UInt64(ends[0], radix: 16), let high = UInt64(ends[1], radix: 16), low < high,
            let offset = UInt64(words[2], radix: 16), let inode = UInt64(words[4])
        else { return nil }
        range = String(low, radix: 16) + "-" + String(high, radix: 16)
        length = high - low
        permissions = words[1]
        self.offset = offset
        device = words[3]
        self.inode = inode
        target = BytePath(fields.count > 5 ? Array(fields[5].drop { $0 == UInt8(ascii: " ") }) : [])
    }

    /// Whether the kernel calls what is mapped unlinked. A file can be named so (RT35): look at it before believing.
    var isCalledDeleted: Bool { inode != 0 && target.bytes.suffix(10).elementsEqual(" (deleted)".utf8) }

    /// The id of the System V segment that is mapped, which is its inode; `nil` for anything else.
    var segment: UInt64? {
        let bytes = target.bytes
        guard bytes.starts(with: "/SYSV".utf8), bytes.count == 5 + 8 + 10, isCalledDeleted else { return nil }
        return inode
    }
}

/// A file without a name that a process has mapped, whether or not it still has a descriptor of it.
struct MappedFile: Sendable {
    /// Lines of one process that are looked at.
    static let mostLines = 262_144
    /// Bytes of its maps.
    static let mostBytes = 64 << 20

    /// Below /proc/PID: `map_files/7f00-7f10`.
    let link: String
    let target: BytePath
    let facts: FileFacts
    /// The System V segment that it is.
    let segment: UInt64?
    /// Whether it is anonymous memory that processes share: its content belongs to their memory.
    let isSharedMemory: Bool

    /// The mapped files without a name of the process that `pin` names, each inode once.
    ///
    /// - Throws: `notFound` when it is gone, `changed` when its pid was used again, `refused` when there are more lines
    ///   than are looked at; it waits as long as somebody holds the lock on the memory (RT7).
    static func all(
        of pin: ProcessPin,
        through prefix: String,
        on host: Host
    ) throws(Failure) -> (files: [MappedFile], gaps: [Failure]) {
        let process = try ProcessDirectory(pin, on: host)
        let (bytes, cut) = try process.bounded(prefix + "maps", limit: mostBytes)
        var seen: Set<String> = []
        var found: [MappedFile] = []
        var gaps: [Failure] = [cut].compactMap { $0 }
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        if lines.count > mostLines {
            let reason = "more than \(mostLines): \(lines.count - mostLines) are not looked at"
            gaps.append(Failure(.refused, "read the maps", on: "\(pin.pid)", because: reason))
        }
        for line in lines.prefix(mostLines) {
            guard let map = MapLine(parsing: line), map.isCalledDeleted,
                seen.insert("\(map.device) \(map.inode) \(map.segment ?? 0)").inserted
            else { continue }
            do throws(Failure) {
                let link = "map_files/" + map.range
                let facts = try FileNode(link, of: process).facts
                guard facts.kind == .file, facts.links == 0 else { continue }
                let isShared = map.target == BytePath("/dev/zero (deleted)") && facts.identity.device.major == 0
                found.append(
                    MappedFile(
                        link: link,
                        target: map.target,
                        facts: facts,
                        segment: map.segment,
                        isSharedMemory: isShared && facts.identity.device == sharedMemory
                    )
                )
            } catch {
                if error.code != .notFound { gaps.append(error) }
            }
        }
        return (found, gaps)
    }

    /// The device on which the kernel keeps anonymous shared memory, memfds and System V segments: that of its own
    /// unnamed tmpfs, which nobody can mount and which is the first anonymous device (mm/shmem.c).
    private static let sharedMemory = DeviceNumber(major: 0, minor: 1)
}
