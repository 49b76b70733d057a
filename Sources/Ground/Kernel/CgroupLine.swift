public import Base

/// One line of /proc/PID/cgroup: where a process or a thread stands in one hierarchy. Source: cgroups(7).
public struct CgroupLine: Hashable, Sendable, Codable {
    /// `v2`, or `v1:` and the controllers, as ``Base/CgroupPin/hierarchy`` has it.
    public let hierarchy: String
    /// The path below the root of the hierarchy, with a leading slash. The kernel appends ` (deleted)` for a removed
    /// group, and a group may be named so, hence only the inode decides (RT35).
    public let path: BytePath

    /// Takes both parts.
    public init(hierarchy: String, path: BytePath) {
        self.hierarchy = hierarchy
        self.path = path
    }

    /// The controllers and names of a v1 hierarchy; empty for the unified one.
    public var controllers: [String] {
        hierarchy.hasPrefix("v1:") ? hierarchy.dropFirst(3).split(separator: ",").map(String.init) : []
    }

    /// Reads all lines; a line that is not of the form `number:controllers:path` is left out.
    public static func parse(_ bytes: some Collection<UInt8>) -> [CgroupLine] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, Decimal.uint64(fields[0]) != nil else { return nil }
            let controllers = String(decoding: fields[1], as: UTF8.self)
            let hierarchy = fields[0].elementsEqual("0".utf8) && controllers.isEmpty ? "v2" : "v1:" + controllers
            return CgroupLine(hierarchy: hierarchy, path: BytePath(fields[2]))
        }
    }
}
