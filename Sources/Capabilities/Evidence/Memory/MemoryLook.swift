import Base
import Glibc
import Kernel

/// What is known of the memory of one process before any of it is read: its threads' registers, its mappings, and which
/// pages are there. Read on a thread that may be left behind, because a lock of the process can make all of it wait.
struct MemoryLook: Sendable {
    /// Stretches of pages that are kept of one process; more are told as left out.
    static let mostRuns = 2 << 20

    let facts: ProcessFacts
    /// Below /proc/PID: `task/TID/` of a living thread when the leader has ended (RT5).
    let prefix: String
    /// The thread or process by which memory is read.
    let reader: Int32
    let before: ResidentSize
    let threads: [ThreadRegisters]
    /// Whether no thread can run while the memory is read.
    let standsStill: Bool
    let maps: [MemoryMap]
    /// The runs of each mapping, in its place; empty for those with nothing in RAM or swap.
    let runs: [[PageRun]]
    /// The level of zstd that suits them.
    let level: Int32
    /// Shared mappings of what has no name any more, or never had one.
    let nameless: Set<SharedPages.Object>
    /// Runs beyond the bound.
    let runsLeftOut: Int
    /// Lines of smaps that were not understood, or mappings beyond the bound.
    let mapsLeftOut: Int

    /// Whether it is a program of 32 bits: nothing of it lies above 4 GiB, where the stack of any other one is, and its
    /// auxiliary vector or its code segment has the form of such a one.
    var hasShortPointers: Bool {
        let own = maps.filter { !$0.isVsyscall }
        guard !own.isEmpty, own.allSatisfy({ $0.end <= 1 << 32 }) else { return false }
        if threads.contains(where: { $0.areWhole && $0.general[17] == 0x23 }) { return true }
        // Its first word is a type, of which there are less than 100, in half the bytes (getauxval(3)).
        let first = facts.auxiliary.prefix(8).enumerated().reduce(UInt64(0)) {
            $0 | UInt64($1.element) << (8 * $1.offset)
        }
        return first > UInt64(UInt32.max)
    }

    /// Looks at the process that `pin` names.
    ///
    /// - Throws: `notFound` when it is gone or has no memory any more, `changed` when its pid was used again, `system`.
    init(_ pin: ProcessPin, mode: MemoryMode, registers: RegisterReader, on host: Host) throws(Failure) {
        let process = try ProcessDirectory(pin, on: host)
        let stat = try process.stat()
        let looks = try ThreadLook.all(of: process, freezing: FreezeState(on: host))
        guard let living = looks.first(where: { !$0.hasEnded }), !stat.numbers.isKernelThread else {
            throw Failure(.notFound, "read the memory", on: "\(pin.pid)", because: "it has ended: it has no memory")
        }
        prefix = stat.numbers.isZombie ? "task/\(living.subject.thread)/" : ""
        reader = stat.numbers.isZombie ? living.subject.thread : pin.pid
        before = try ResidentSize(of: process, through: prefix)
        facts = try ProcessFacts(stat, process, prefix)
        threads = registers.read(looks.filter { !$0.hasEnded }.map(\.subject))
        standsStill = looks.allSatisfy { $0.hasEnded || $0.subject.standsStill }
        let table = try Self.maps(of: process, prefix)
        maps = table.maps
        mapsLeftOut = table.leftOut
        let pagemap = try process.open(prefix + "pagemap", O_RDONLY)
        let scanner = PageScanner(pagemap, of: BytePath("/proc/\(pin.pid)/pagemap"))
        var found: [[PageRun]] = []
        var count = 0
        var leftOut = 0
        // Of a process that is not frozen, a page that was zeros a moment ago may be something else by now.
        let isFrozen = looks.allSatisfy { $0.hasEnded || $0.isFrozen }
        var blanks = BlankPages(of: reader)
        found.reserveCapacity(maps.count)
        for map in maps {
            var runs: [PageRun] = []
            if map.isTouched, !map.isDevice, !map.isVsyscall {
                try scanner.scan(map.start, map.end) { run in
                    if count < Self.mostRuns { runs.append(run) } else { leftOut += 1 }
                    count += 1
                }
            }
            found.append(isFrozen && !map.isShared ? blanks.split(runs) : runs)
        }
        runs = found
        level = PageSample.level(for: found, of: reader)
        // What was read by its number was the process's own, if that is still there.
        _ = try process.stat()
        runsLeftOut = leftOut
        nameless = mode == .dirty ? Self.nameless(among: maps, of: process) : []
    }

    private static func maps(
        of process: borrowing ProcessDirectory,
        _ prefix: String
    ) throws(Failure) -> (maps: [MemoryMap], leftOut: Int) {
        let path = BytePath("/proc/\(process.pid)/\(prefix)smaps")
        let file = try process.open(prefix + "smaps", O_RDONLY)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var reader = SmapsReader()
        while true {
            let count = try file.read(into: buffer, from: path)
            if count == 0 { return (reader.maps, reader.leftOut) }
            reader.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// By the number of names, not by the text ` (deleted)`, which any name can end in (RT35). What cannot be looked at
    /// counts as nameless: it is then taken.
    private static func nameless(
        among maps: [MemoryMap],
        of process: borrowing ProcessDirectory
    ) -> Set<SharedPages.Object> {
        var nameless: Set<SharedPages.Object> = []
        var known: Set<SharedPages.Object> = []
        for map in maps where map.isShared && map.isTouched && !map.isDevice {
            let object = SharedPages.Object(device: map.device, inode: map.inode)
            guard map.inode != 0, known.insert(object).inserted else { continue }
            let range = "\(String(map.start, radix: 16))-\(String(map.end, radix: 16))"
            do throws(Failure) {
                if try FileNode("map_files/\(range)", of: process).facts.links == 0 { nameless.insert(object) }
            } catch {
                nameless.insert(object)
            }
        }
        return nameless
    }
}

extension ProcessFacts {
    fileprivate init(
        _ stat: ProcessStat,
        _ process: borrowing ProcessDirectory,
        _ prefix: String
    ) throws(Failure) {
        self.init(
            stat: stat,
            status: try process.status(),
            // NT_PRPSINFO has room for 80 bytes; data/processes.jsonl has all of them.
            arguments: try process.contents(prefix + "cmdline", limit: 4096),
            auxiliary: try process.whole(prefix + "auxv", limit: 8192)
        )
    }
}

/// What decides how the registers of one thread may be read.
private struct ThreadLook {
    let subject: RegisterReader.Subject
    let hasEnded: Bool
    /// Whether its group is frozen: a signal lets a thread that is only stopped go on.
    let isFrozen: Bool

    /// All threads of a process, the leader first.
    static func all(
        of process: borrowing ProcessDirectory,
        freezing: FreezeState
    ) throws(Failure) -> [ThreadLook] {
        var looks: [ThreadLook] = []
        let leader = process.pid
        let others = try process.threadIDs().filter { $0 != leader }.sorted()
        for thread in [leader] + others {
            do throws(Failure) {
                looks.append(try ThreadLook(thread, of: process, freezing: freezing))
            } catch {
                // A thread that ended between the list and the look.
                guard error.code == .notFound else { throw error }
            }
        }
        return looks
    }

    private init(
        _ thread: Int32,
        of process: borrowing ProcessDirectory,
        freezing: FreezeState
    ) throws(Failure) {
        let numbers = try process.threadStat(thread).numbers
        let isStopped = numbers.state == UInt8(ascii: "T")
        isFrozen = freezing.isFrozen(try process.threadCgroups(thread))
        hasEnded = numbers.isZombie
        subject = RegisterReader.Subject(
            thread: thread,
            standsStill: isStopped || isFrozen,
            systemCall: process.threadWait(thread).systemCall,
            tracer: ProcessStatus(
                parsing: try process.whole("task/\(thread)/status", limit: ProcessReading.mostStatus)
            ).tracer
        )
    }
}
