import Base
import Kernel

/// What the notes of a core say of a process besides the registers of its threads.
struct ProcessFacts: Sendable {
    let stat: ProcessStat
    let status: ProcessStatus?
    let arguments: [UInt8]
    let auxiliary: [UInt8]
}

/// The content of PT_NOTE, in the order of the kernel's own cores: the first thread's status, the process, its files, and
/// then the other threads (fs/binfmt_elf.c, elfcore.h). Layouts are those of x86_64.
struct CoreNotes {
    private static let core = "CORE"
    private static let linux = "LINUX"

    let process: ProcessFacts
    /// The leader first.
    let threads: [ThreadRegisters]
    let maps: [MemoryMap]
    /// What a reader must know of the whole core, in a note of our own that tools of others skip.
    let remark: String

    var bytes: [UInt8] {
        var notes = ByteBuilder()
        let first = threads.first ?? .missing(process.stat.pid, because: "no thread")
        add(status(of: first), type: 1, owner: Self.core, to: &notes)
        add(processInformation, type: 3, owner: Self.core, to: &notes)
        if !process.auxiliary.isEmpty { add(process.auxiliary, type: 6, owner: Self.core, to: &notes) }
        add(files, type: 0x4649_4C45, owner: Self.core, to: &notes)
        addFloating(of: first, to: &notes)
        for thread in threads.dropFirst() {
            add(status(of: thread), type: 1, owner: Self.core, to: &notes)
            addFloating(of: thread, to: &notes)
        }
        add(Array(remark.utf8), type: 1, owner: "QUELL", to: &notes)
        return notes.bytes
    }

    private func addFloating(of thread: ThreadRegisters, to notes: inout ByteBuilder) {
        if let floating = thread.floating { add(floating, type: 2, owner: Self.core, to: &notes) }
        if let extended = thread.extended { add(extended, type: 0x202, owner: Self.linux, to: &notes) }
    }

    private func add(_ content: [UInt8], type: UInt32, owner: String, to notes: inout ByteBuilder) {
        notes.add(UInt32(owner.utf8.count + 1))
        notes.add(UInt32(content.count))
        notes.add(type)
        notes.add(owner.utf8)
        notes.add(UInt8(0))
        notes.pad(to: 4)
        notes.add(content)
        notes.pad(to: 4)
    }

    /// struct elf_prstatus: 336 bytes, the registers at 112.
    private func status(of thread: ThreadRegisters) -> [UInt8] {
        var status = ByteBuilder()
        for _ in 0..<4 { status.add(UInt32(0)) }
        for _ in 0..<2 { status.add(UInt64(0)) }
        status.add(thread.thread)
        status.add(process.stat.numbers.parent)
        status.add(process.stat.numbers.group)
        status.add(process.stat.numbers.session)
        for _ in 0..<8 { status.add(UInt64(0)) }
        for value in thread.general { status.add(value) }
        status.add(UInt32(thread.floating == nil ? 0 : 1))
        status.add(UInt32(0))
        return status.bytes
    }

    /// struct elf_prpsinfo: 136 bytes.
    private var processInformation: [UInt8] {
        let numbers = process.stat.numbers
        var information = ByteBuilder()
        information.add([0, numbers.state, numbers.isZombie ? 1 : 0, 0])
        information.add(UInt32(0))
        information.add(numbers.flags)
        information.add(process.status?.uids.first ?? 0)
        information.add(process.status?.gids.first ?? 0)
        information.add(process.stat.pid)
        information.add(numbers.parent)
        information.add(numbers.group)
        information.add(numbers.session)
        information.add(field: process.stat.name.bytes, size: 16)
        information.add(field: process.arguments.map { $0 == 0 ? UInt8(ascii: " ") : $0 }, size: 80)
        return information.bytes
    }

    /// NT_FILE: how many, the size of a page, then start, end and page offset of each, then the names.
    private var files: [UInt8] {
        let named = maps.filter { $0.inode != 0 && !$0.name.isEmpty }
        var files = ByteBuilder()
        files.add(UInt64(named.count))
        files.add(CoreHeaders.page)
        for map in named {
            files.add(map.start)
            files.add(map.end)
            files.add(map.offset / CoreHeaders.page)
        }
        for map in named {
            files.add(map.name)
            files.add(UInt8(0))
        }
        return files.bytes
    }
}
