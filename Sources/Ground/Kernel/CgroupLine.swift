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
    public static func parse(_ bytes: [UInt8]) -> [CgroupLine] { bytes.withUnsafeBytes { parse($0) } }

    /// The same of bytes as they were read. It walks them itself: lists of slices cost the runtime a search of all its
    /// conformances before a freeze.
    public static func parse(_ bytes: UnsafeRawBufferPointer) -> [CgroupLine] {
        var lines: [CgroupLine] = []
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            if let parsed = CgroupLine(parsing: line) { lines.append(parsed) }
            start = end + 1
        }
        return lines
    }

    private init?(parsing line: UnsafeRawBufferPointer) {
        guard let first = line.firstIndex(of: UInt8(ascii: ":")),
            let second = line[(first + 1)...].firstIndex(of: UInt8(ascii: ":")),
            let number = Decimal.uint64(line[..<first])
        else { return nil }
        let controllers = String(decoding: line[(first + 1)..<second], as: UTF8.self)
        let isUnified = number == 0 && first == 1 && controllers.isEmpty
        self.init(hierarchy: isUnified ? "v2" : "v1:" + controllers, path: BytePath(line[(second + 1)...]))
    }
}
