import Base
import Glibc

/// Numbers of the sessions of a case in a small file beside its database, so that a freeze that looks for its case among
/// hundreds of open ones opens one database and not hundreds. A hint, never proof: what it does not exclude is looked up
/// in the journal.
///
/// One line a number: boot id and then the hierarchy and inode of a cgroup, or the pid and start time of a leader. They
/// are those that ``Base/SessionPin/isSameSession(as:)`` compares. Written before the entries and not synced, because
/// after a crash of the machine no session of that boot exists any more.
struct SubjectMarks {
    private let path: BytePath

    init(in folder: BytePath) { path = folder.appending("subjects") }

    /// Adds the marks of `pins`. When that fails the file goes, and with it what it would wrongly exclude.
    func add(_ pins: [SessionPin]) {
        let text = pins.flatMap(SubjectMarks.lines(of:)).joined()
        let file = path.withCString { open($0, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        let bytes = Array(text.utf8)
        let isWritten = file >= 0 && write(file, bytes, bytes.count) == bytes.count
        if file >= 0 { close(file) }
        if !isWritten { _ = path.withCString { unlink($0) } }
    }

    /// Whether the case may be about one of `pins`: yes when the file cannot be read or is torn.
    func mayHold(_ pins: [SessionPin]) -> Bool {
        let read: [UInt8]?
        do { read = try SmallFile.read(path, limit: 16 << 20) } catch { return true }
        guard let read, read.last == UInt8(ascii: "\n") else { return true }
        let known = Set(read.split(separator: UInt8(ascii: "\n")).map { Array($0) })
        return pins.flatMap(SubjectMarks.lines(of:)).contains { known.contains(Array($0.utf8.dropLast())) }
    }

    private static func lines(of pin: SessionPin) -> [String] {
        pin.cgroups.map { "\(pin.bootID) \($0.hierarchy) \($0.inode)\n" }
            + (pin.leader.map { ["\(pin.bootID) \($0.pid) \($0.startTicks)\n"] } ?? [])
    }
}
