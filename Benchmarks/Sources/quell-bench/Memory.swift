import Glibc

extension Bench {
    /// The memory of a frozen process of 2 GiB against gcore on the running one, and of one that touched 512 MiB of 8 GiB.
    mutating func memory() throws {
        let large = isSmoke ? 64 : 2048
        let rounds = isSmoke ? 1 : 5
        let theirs = try gcore(of: large, rounds: rounds)
        let ours = try memory("memory", of: large, rounds: rounds)
        table.add(
            "memory of \(large) MiB: wall",
            milliseconds(median(ours.map(\.wall))),
            milliseconds(median(theirs.map(\.wall))),
            bar: "1x",
            isHeld: median(ours.map(\.wall)) <= median(theirs.map(\.wall))
        )
        table.note(
            "memory of \(large) MiB: CPU \(milliseconds(median(ours.map(\.cpu)))), gcore "
                + "\(milliseconds(median(theirs.map(\.cpu)))); peak \((ours.map(\.peak).max() ?? 0) >> 20) MiB"
        )
        let few = isSmoke ? 16 : 512
        let touched = try memory("room", of: few, rounds: rounds)
        table.add(
            "8 GiB mapped, \(few) MiB touched: wall",
            milliseconds(median(touched.map(\.wall))),
            "",
            bar: "1 s",
            isHeld: median(touched.map(\.wall)) < 1_000_000_000
        )
    }

    private func gcore(of size: Int, rounds: Int) throws -> [Command.Measured] {
        let groups = try Groups(victims: "\(references)/reference-victims", kind: "memory", count: size)
        defer { groups.destroy() }
        let core = "\(work)/reference-core"
        let command = Command(
            path: "/usr/bin/gcore",
            arguments: ["-o", core, "\(groups.leader)"],
            environment: ["PATH": "/usr/bin:/bin"]
        )
        return try (0..<rounds).map { _ in
            defer { unlink("\(core).\(groups.leader)") }
            return try command.run()
        }
    }

    /// Not the process that gcore read: it brings in a page for each that it reads, and leaves it there.
    private func memory(_ kind: String, of size: Int, rounds: Int) throws -> [Command.Measured] {
        let groups = try Groups(victims: "\(references)/reference-victims", kind: kind, count: size)
        defer { groups.destroy() }
        _ = try quellCommand(["freeze", "cgroup:/\(groups.name)"]).run(allowing: [0, 3])
        let before = try resident(groups.leader)
        let words = ["--profile", "volatile", "--memory", "all", "--plain-memory", "--json"]
        let measured = try (0..<rounds).map { _ in
            try quellCommand(["capture", "cgroup:/\(groups.name)"] + words).run(allowing: [0, 3])
        }
        guard try resident(groups.leader) == before else {
            throw Command.Failed(description: "the resident size of the target changed")
        }
        return measured
    }

    /// The resident size as the kernel writes it.
    private func resident(_ process: pid_t) throws -> String {
        guard let file = fopen("/proc/\(process)/smaps_rollup", "r") else {
            throw Command.Failed(description: "the target is gone")
        }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("Rss:") { return text }
        }
        throw Command.Failed(description: "the target has no resident size")
    }
}
