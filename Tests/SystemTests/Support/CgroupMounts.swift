import Programs

/// Where this machine shows its cgroup hierarchies, read from /proc/self/mountinfo (proc(5)).
enum CgroupMounts {
    /// The v2 mount, unified or hybrid.
    static var unified: String? { find("cgroup2", option: nil) }
    /// The v1 freezer mount.
    static var freezer: String? { find("cgroup", option: "freezer") }

    private static func find(_ type: String, option: String?) -> String? {
        for line in (Files.text("/proc/self/mountinfo") ?? "").split(separator: "\n") {
            let halves = line.split(separator: " - ", maxSplits: 1)
            guard halves.count == 2 else { continue }
            let left = halves[0].split(separator: " ")
            let right = halves[1].split(separator: " ")
            guard left.count > 4, right.count > 2, right[0] == type, left[3] == "/" else { continue }
            if let option, !right[2].split(separator: ",").contains(Substring(option)) { continue }
            return String(left[4])
        }
        return nil
    }
}
