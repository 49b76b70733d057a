internal import Base
internal import Glibc

/// How much memory a session uses, and who says so: the figures do not mean the same.
public struct MemoryUse: Hashable, Sendable, Codable {
    /// Where the figure is from.
    public enum Source: String, Hashable, Sendable, Codable {
        /// The unified hierarchy's memory controller: with page cache and kernel memory.
        case current = "memory.current"
        /// The v1 memory controller: with page cache.
        case usage = "memory.usage_in_bytes"
        /// The resident pages of its processes, where no cgroup counts for it alone: shared pages count more than once.
        case resident = "RSS sum"
    }

    /// Bytes.
    public let bytes: UInt64
    /// Where the figure is from.
    public let source: Source

    /// Takes both parts.
    public init(bytes: UInt64, source: Source) {
        self.bytes = bytes
        self.source = source
    }
}

extension Host {
    /// The v1 hierarchy of the memory controller, or `nil` where it is not mounted as v1. On a recorded machine it is
    /// `root/cgroup/memory`.
    public func memoryHierarchy() -> CgroupHierarchy? {
        do throws(Failure) {
            if procWindow == .recorded {
                let root = try proc.descriptor.open(BytePath("../cgroup/memory"), O_RDONLY | O_DIRECTORY)
                return CgroupHierarchy(name: "v1:memory", root: root, window: .recorded)
            }
            var notes: [String] = []
            return try HierarchyFinder(proc: proc).versionOne("memory", &notes)
        } catch {
            // No such hierarchy: another source counts.
            return nil
        }
    }
}

extension Cgroup {
    /// What the memory controller counts for this group and all below it; `nil` where it does not count here.
    public func memoryUse() -> MemoryUse? {
        let source: MemoryUse.Source = hierarchy.isUnified ? .current : .usage
        do throws(Failure) {
            let bytes = try contents(source.rawValue).prefix { $0 != UInt8(ascii: "\n") }
            return Decimal.uint64(bytes).map { MemoryUse(bytes: $0, source: source) }
        } catch {
            return nil
        }
    }
}
