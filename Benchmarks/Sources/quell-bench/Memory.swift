import Glibc

extension Bench {
    /// The memory of a frozen process of 2 GiB against gcore on the running one, and of one that touched 512 MiB of 8 GiB.
    mutating func memory() throws {
        let large = isSmoke ? 64 : 2048
        let (ours, theirs) = try memory(of: large, rounds: isSmoke ? 1 : 5)
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
        let touched = try memory(of: few, rounds: isSmoke ? 1 : 5).ours
        table.add(
            "8 GiB mapped, \(few) MiB touched: wall",
            milliseconds(median(touched.map(\.wall))),
            "",
            bar: "1 s",
            isHeld: median(touched.map(\.wall)) < 1_000_000_000
        )
    }

    private mutating func memory(
        of size: Int,
        rounds: Int
    ) throws -> (ours: [Command.Measured], theirs: [Command.Measured]) {
        var ours: [Command.Measured] = []
        var theirs: [Command.Measured] = []
        let groups = try Groups(victims: "\(references)/reference-victims", kind: "memory", count: size)
        defer { groups.destroy() }
        for _ in 0..<rounds {
            let core = "\(work)/reference-core"
            theirs.append(
                try Command(
                    path: "/usr/bin/gcore",
                    arguments: ["-o", core, "\(groups.leader)"],
                    environment: ["PATH": "/usr/bin:/bin"]
                ).run()
            )
            unlink("\(core).\(groups.leader)")
        }
        _ = try quellCommand(["freeze", "cgroup:/\(groups.name)"]).run(allowing: [0, 3])
        let before = try resident(groups.leader)
        for _ in 0..<rounds {
            let words = ["--profile", "volatile", "--memory", "all", "--plain-memory", "--json"]
            ours.append(try quellCommand(["capture", "cgroup:/\(groups.name)"] + words).run(allowing: [0, 3]))
        }
        guard try resident(groups.leader) == before else {
            throw Command.Failed(description: "the resident size of the target changed")
        }
        return (ours, theirs)
    }

    /// VmRSS as the kernel writes it.
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
