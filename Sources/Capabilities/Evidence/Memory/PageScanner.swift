import Base
import CMemory
import Glibc
import Kernel

/// Pages in a row that are alike.
struct PageRun: Hashable, Sendable {
    let start: UInt64
    let end: UInt64
    /// In RAM.
    let isPresent: Bool
    /// In swap: reading it would bring it in.
    let isSwapped: Bool
    /// Of a file or of shared memory, not the process's own.
    let isFile: Bool
    /// The kernel's page of zeros.
    let isZero: Bool
    /// Pages of the process's own that held nothing but zeros when they were looked at (``BlankPages``).
    var isBlank = false

    var size: UInt64 { end - start }

    func cut(_ from: UInt64, _ to: UInt64) -> PageRun {
        PageRun(start: from, end: to, isPresent: isPresent, isSwapped: isSwapped, isFile: isFile, isZero: isZero)
    }
}

/// Asks which pages of a process are there, without touching one: PAGEMAP_SCAN (Linux 6.7), else /proc/PID/pagemap.
final class PageScanner {
    private static let regionCount = 1024
    private static let entryCount: UInt64 = 32_768

    private let pagemap: Descriptor
    private let subject: BytePath
    private let regions: UnsafeMutableBufferPointer<cmemory_region>
    private var canScan: Bool

    /// - Parameter usesScan: `false` reads the entries one by one, as on an older kernel.
    init(_ pagemap: consuming Descriptor, of subject: BytePath, usesScan: Bool = true) {
        self.pagemap = pagemap
        self.subject = subject
        canScan = usesScan
        regions = .allocate(capacity: Self.regionCount)
    }

    deinit { regions.deallocate() }

    /// Hands the runs from `start` to `end` that are present or swapped to `body`, in order.
    ///
    /// - Throws: `system` with errno; ESRCH or a short read when the process is gone.
    func scan(_ start: UInt64, _ end: UInt64, _ body: (PageRun) -> Void) throws(Failure) {
        if canScan {
            if try scanByCall(start, end, body) { return }
            canScan = false
        }
        try readEntries(start, end, body)
    }

    /// `false` when the kernel does not know the call.
    private func scanByCall(_ start: UInt64, _ end: UInt64, _ body: (PageRun) -> Void) throws(Failure) -> Bool {
        var position = start
        while position < end {
            var walked = position
            let found = cmemory_scan(pagemap.number, position, end, &walked, regions.baseAddress, regions.count)
            guard found >= 0 else {
                let problem = errno
                if position == start, [ENOTTY, EINVAL, EOPNOTSUPP].contains(problem) { return false }
                if problem == EINTR { continue }
                throw Failure(errno: problem, "ask which pages are there", on: subject)
            }
            for region in regions.prefix(Int(found)) where region.categories & cmemory_page_guard == 0 {
                body(
                    PageRun(
                        start: region.start,
                        end: region.end,
                        isPresent: region.categories & cmemory_page_present != 0,
                        isSwapped: region.categories & cmemory_page_swapped != 0,
                        isFile: region.categories & cmemory_page_file != 0,
                        isZero: region.categories & cmemory_page_zero != 0
                    )
                )
            }
            guard walked > position else { break }
            position = walked
        }
        return true
    }

    private func readEntries(_ start: UInt64, _ end: UInt64, _ body: (PageRun) -> Void) throws(Failure) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(Self.entryCount) * 8, alignment: 8)
        defer { buffer.deallocate() }
        var position = start
        var open: PageRun?
        while position < end {
            let wanted = Int(min((end - position) / 4096, Self.entryCount)) * 8
            let window = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            let count = try pagemap.read(into: window, at: Int64(position / 4096 * 8), from: subject)
            if count < 8 { break }
            for index in 0..<(count / 8) {
                let page = position + UInt64(index) * 4096
                let run = Self.run(buffer.load(fromByteOffset: index * 8, as: UInt64.self), page)
                if let before = open {
                    if let run, before.end == run.start, before.cut(run.start, run.end) == run {
                        open = before.cut(before.start, run.end)
                        continue
                    }
                    body(before)
                }
                open = run
            }
            position += UInt64(count / 8) * 4096
        }
        if let open { body(open) }
    }

    /// Bits 63 present, 62 swapped, 61 of a file or shared (Documentation/admin-guide/mm/pagemap.rst).
    private static func run(_ entry: UInt64, _ page: UInt64) -> PageRun? {
        guard entry >> 62 != 0 else { return nil }
        return PageRun(
            start: page,
            end: page + 4096,
            isPresent: entry >> 63 == 1,
            isSwapped: entry >> 62 & 1 == 1,
            isFile: entry >> 61 & 1 == 1,
            isZero: false
        )
    }
}
