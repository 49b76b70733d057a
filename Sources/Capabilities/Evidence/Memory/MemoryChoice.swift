/// Which pages of a process are taken, and why the others are not.
struct MemoryChoice: Sendable {
    private(set) var layout = CoreLayout()
    /// Pages of files that have a name: not the process's own, left out in `dirty`.
    private(set) var namedFileBytes: UInt64 = 0
    /// Pages in swap: reading them would bring them in and change the process.
    private(set) var swappedBytes: UInt64 = 0
    /// Shared memory that stands in the core of another process.
    private(set) var elsewhereBytes: UInt64 = 0
    /// Pages that were read and never written: the kernel has one page of zeros for all of them.
    private(set) var zeroBytes: UInt64 = 0
    /// Mappings of device memory, which is never read.
    private(set) var deviceMaps = 0

    init(_ look: MemoryLook, mode: MemoryMode, shared: SharedPages) {
        for (map, runs) in zip(look.maps, look.runs) where !map.isVsyscall {
            if map.isDevice { deviceMaps += 1 }
            let isNameless = look.nameless.contains(SharedPages.Object(device: map.device, inode: map.inode))
            var taken: [PageRun] = []
            for run in runs {
                if run.isSwapped {
                    swappedBytes += run.size
                } else if run.isZero {
                    zeroBytes += run.size
                } else if mode == .dirty, run.isFile, !(map.isShared && (map.inode == 0 || isNameless)) {
                    namedFileBytes += run.size
                } else if map.isShared, map.inode != 0 {
                    taken += once(run, of: map, shared)
                } else {
                    taken.append(run)
                }
            }
            layout.add(map, taking: taken)
        }
    }

    private mutating func once(_ run: PageRun, of map: MemoryMap, _ shared: SharedPages) -> [PageRun] {
        let first = map.offset &+ (run.start - map.start)
        let (last, over) = first.addingReportingOverflow(run.size)
        guard !over else { return [run] }
        let object = SharedPages.Object(device: map.device, inode: map.inode)
        let parts = shared.take(first..<last, of: object)
        elsewhereBytes += run.size - parts.reduce(0) { $0 + $1.upperBound - $1.lowerBound }
        return parts.map { run.cut(run.start + $0.lowerBound - first, run.start + $0.upperBound - first) }
    }
}
