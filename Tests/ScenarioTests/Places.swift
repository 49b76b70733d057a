import Programs

/// Where a scenario takes place, and what its placeholders stand for.
struct Places: Sendable {
    /// The scenario's own folder.
    let work: String
    /// The program that makes sessions and clears them away.
    let stage: String

    /// The cgroup of the scenario's session, without the leading slash.
    var group: String { String(work.split(separator: "/").last ?? "quell-scenario") }

    /// The whole environment of a command.
    var environment: [String: String] {
        [
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": work, "QUELL_STORE": "\(work)/store", "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8", "QUELL": Program.ownEnvironment()["QUELL_BINARY"] ?? "", "STAGE": stage,
            "GROUP": group, "WORK": work,
        ]
    }

    /// The text with each placeholder replaced by what it stands for now.
    func filling(_ text: String) -> String {
        var filled = text.replacing("[WORK]", with: work).replacing("[GROUP]", with: group)
        if let leader = Files.text("\(work)/pid") { filled = filled.replacing("[PID]", with: leader) }
        let cases = (Files.names(in: "\(work)/store/cases") ?? []).sorted()
        if let first = cases.first { filled = filled.replacing("[CASE]", with: first) }
        return filled
    }
}
