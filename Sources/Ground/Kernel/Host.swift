public import Base
internal import Glibc

/// This machine's kernel as Quell sees it: through its own mounts of procfs and of the cgroup hierarchies where that is
/// permitted (RT6). A small value; copies share the descriptors.
public struct Host: Sendable {
    /// The root of procfs.
    public let proc: SharedDescriptor
    /// How Quell came to procfs.
    public let procWindow: Window
    /// The unified hierarchy, or `nil` where the kernel has none.
    public let unified: CgroupHierarchy?
    /// The v1 hierarchy of the freezer, or `nil` where it is not mounted as v1.
    public let freezer: CgroupHierarchy?
    /// /proc/sys/kernel/random/boot_id.
    public let bootID: String
    /// Ticks of `startTicks` in a second, sysconf(_SC_CLK_TCK).
    public let ticksPerSecond: UInt64
    /// How the clock of start times relates to the wall clock.
    public let clock: BootClock
    /// What could not be had as wished, for the result: own mounts that were not permitted, hierarchies that are missing.
    public let notes: [String]

    /// Opens this machine. Fails only when there is no procfs at all; a missing hierarchy is a note, not an error.
    public init() throws(Failure) {
        var notes: [String] = []
        (proc, procWindow) = try Host.openProc()
        if case .visible(let reason) = procWindow { notes.append("no own procfs: \(reason)") }
        let known = try HierarchyFinder(proc: proc)
        unified = known.unified(&notes)
        freezer = known.freezer(&notes)
        bootID = try Host.readBootID(proc)
        ticksPerSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        clock = BootClock.sampled()
        self.notes = notes
    }

    /// Opens a recorded machine for tests: `root/proc` as procfs, `root/cgroup/unified` as the unified hierarchy and
    /// `root/cgroup/freezer` as the v1 freezer, both optional. Boot id and clock are those of `root/proc` if recorded,
    /// else `recorded` and a boot at the epoch with 100 ticks a second.
    public init(recordedAt root: BytePath) throws(Failure) {
        let tree = try Descriptor(opening: root.appending("proc"), O_RDONLY | O_DIRECTORY)
        proc = SharedDescriptor(tree)
        procWindow = .recorded
        unified = try CgroupHierarchy(recordedAt: root.appending("cgroup/unified"), name: "v2")
        freezer = try CgroupHierarchy(recordedAt: root.appending("cgroup/freezer"), name: "v1:freezer")
        do throws(Failure) { bootID = try Host.readBootID(proc) } catch { bootID = "recorded" }
        ticksPerSecond = 100
        clock = BootClock(bootedAt: Instant(nanoseconds: 0), uncertainty: .zero)
        notes = []
    }

    /// The hierarchy with that name as pins have it, `v2` or `v1:freezer`, when it is one of those that are open.
    public func hierarchy(named name: String) -> CgroupHierarchy? {
        [unified, freezer].compactMap { $0 }.first { $0.name == name }
    }

    /// When a process with that start time (field 22 of stat) began: an interval of one tick, widened by the
    /// uncertainty of the clock.
    public func started(atTicks ticks: UInt64) -> Interval {
        let tick = 1_000_000_000 / ticksPerSecond
        let earliest = clock.instant(atBootNanoseconds: ticks &* tick)
        let spread = clock.uncertainty.wholeNanoseconds
        return Interval(
            Instant(nanoseconds: earliest.nanoseconds - spread),
            Instant(nanoseconds: earliest.nanoseconds + Int64(tick) + spread)
        )
    }

    /// The present in ticks since boot, as start times are counted.
    public func ticksNow() -> UInt64 {
        BootClock.nanosecondsSinceBoot() / (1_000_000_000 / ticksPerSecond)
    }

    private static func openProc() throws(Failure) -> (SharedDescriptor, Window) {
        let reason: String
        do throws(Failure) {
            return (SharedDescriptor(try WindowMaker.mount("proc", options: [])), .own)
        } catch {
            reason = error.reason
        }
        let visible = try WindowMaker.visible(BytePath("/proc"), magic: WindowMaker.procMagic)
        return (SharedDescriptor(visible), .visible(because: reason))
    }

    private static func readBootID(_ proc: SharedDescriptor) throws(Failure) -> String {
        let path = BytePath("sys/kernel/random/boot_id")
        let file = try proc.descriptor.open(path, O_RDONLY, to: "read the boot id")
        let bytes = try file.readToEnd(limit: 128, from: path)
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}

/// How CLOCK_BOOTTIME, which start times are counted in, relates to the wall clock. /proc/stat's btime is not used: it
/// is cut to whole seconds.
public struct BootClock: Hashable, Sendable {
    /// The wall clock at boot.
    public let bootedAt: Instant
    /// How far off it may be, either way.
    public let uncertainty: Duration

    /// Takes both parts.
    public init(bootedAt: Instant, uncertainty: Duration) {
        self.bootedAt = bootedAt
        self.uncertainty = uncertainty
    }

    /// Reads the wall clock, the boot clock and the wall clock again, three times, and keeps the closest pair.
    public static func sampled() -> BootClock {
        var best: (offset: Int64, gap: Int64)?
        for _ in 0..<3 {
            let before = read(CLOCK_REALTIME)
            let boot = read(CLOCK_BOOTTIME)
            let after = read(CLOCK_REALTIME)
            let sample = (offset: before + (after - before) / 2 - boot, gap: (after - before) / 2 + 1)
            if best.map({ sample.gap < $0.gap }) ?? true { best = sample }
        }
        let (offset, gap) = best ?? (0, .max)
        return BootClock(bootedAt: Instant(nanoseconds: offset), uncertainty: .nanoseconds(gap))
    }

    /// The wall clock at a moment given in nanoseconds since boot.
    public func instant(atBootNanoseconds boot: UInt64) -> Instant {
        Instant(nanoseconds: bootedAt.nanoseconds &+ Int64(clamping: boot))
    }

    /// Nanoseconds since boot, sleep included.
    public static func nanosecondsSinceBoot() -> UInt64 { UInt64(clamping: read(CLOCK_BOOTTIME)) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
