import Glibc

/// From the start of the command, in nanoseconds.
struct Times {
    var frozen: [UInt64] = []
    var proof: [UInt64] = []
    /// How often the store did not answer within the patience (RT12).
    var emergencies = 0
}

/// Runs Quell and the C reference alternately and compares medians. Called by scripts/benchmark, which knows the paths.
///
///     quell-bench QUELL REFERENCES WORK [--smoke] [--freeze | --containment | --evidence | --memory]
@main
struct Bench {
    let quell: String
    let references: String
    let work: String
    let isSmoke: Bool
    var table = Table()

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 3 else {
            let kinds = "--freeze | --containment | --evidence | --memory"
            complain("usage: quell-bench QUELL REFERENCES WORK [--smoke] [\(kinds)]")
            exit(64)
        }
        var bench = Bench(
            quell: arguments[0],
            references: arguments[1],
            work: arguments[2],
            isSmoke: arguments.contains("--smoke")
        )
        do {
            if arguments.contains("--containment") {
                try bench.containment()
            } else if arguments.contains("--memory") {
                try bench.memory()
            } else if arguments.contains("--evidence") {
                try bench.evidence(treeOnly: arguments.contains("--tree-only"))
            } else {
                try bench.version()
                try bench.freeze("freeze of 100", rounds: bench.isSmoke ? 3 : 31)
                try bench.freezeUnderLoad()
                if bench.isSmoke {
                    try bench.containment()
                    try bench.evidence()
                    try bench.memory()
                }
                if !arguments.contains("--freeze") {
                    try bench.isolation()
                    try bench.capture()
                }
            }
        } catch {
            print(bench.table.text)
            complain("error: \(error)")
            exit(1)
        }
        print(bench.table.text)
        // A smoke run shows that everything runs; times are judged only on a quiet machine.
        exit(bench.table.failures > 0 && !bench.isSmoke ? 1 : 0)
    }

    private static func complain(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }

    private var environment: [String: String] {
        ["PATH": "/usr/bin:/bin", "QUELL_STORE": "\(work)/store", "NO_COLOR": "1"]
    }

    func quellCommand(_ arguments: [String]) -> Command {
        Command(path: quell, arguments: arguments, environment: environment)
    }

    mutating func version() throws {
        let command = quellCommand(["--version"])
        _ = try command.run()
        let wall = median(try (0..<(isSmoke ? 5 : 41)).map { _ in try command.run().wall })
        table.add("quell --version", milliseconds(wall), "", bar: "10 ms", isHeld: wall < 10_000_000)
    }

    /// What a freeze may take, by what the reference took.
    struct Bar {
        let text: String
        let limit: @Sendable (UInt64) -> UInt64

        /// Of the main job: start-up counts ten milliseconds.
        static let mainJob = Bar(text: "3x + 10 ms") { $0 * 3 + 10_000_000 }
        static let twice = Bar(text: "2x") { $0 * 2 }
        static let half = Bar(text: "1.5x") { $0 * 3 / 2 }
    }

    mutating func freeze(
        _ name: String,
        of count: Int = 100,
        rounds: Int,
        toFrozen: Bar = .mainJob,
        toProof: Bar = .half
    ) throws {
        var ours = Times()
        var theirs = Times()
        for round in 0..<rounds {
            let groups = try Groups(victims: "\(references)/reference-victims", count: count)
            defer { groups.destroy() }
            if round % 2 == 0 {
                try reference(groups, &theirs)
            } else {
                try product(groups, &ours)
            }
            let others = try Groups(victims: "\(references)/reference-victims", count: count)
            defer { others.destroy() }
            if round % 2 == 0 {
                try product(others, &ours)
            } else {
                try reference(others, &theirs)
            }
        }
        table.note(
            "\(name): medians of \(rounds) pairs; 90th percentile of quell: to frozen \(milliseconds(high(ours.frozen))), to "
                + "proof \(milliseconds(high(ours.proof))); of the reference: \(milliseconds(high(theirs.frozen))), "
                + "\(milliseconds(high(theirs.proof))); \(ours.emergencies) of \(rounds) kept in the emergency record"
        )
        let (frozen, proof) = (median(ours.frozen), median(ours.proof))
        let (bareFrozen, bareProof) = (median(theirs.frozen), median(theirs.proof))
        for (what, ours, bare, bar) in [("frozen", frozen, bareFrozen, toFrozen), ("proof", proof, bareProof, toProof)]
        {
            let limit = bar.limit(bare)
            table.add(
                "\(name): to \(what)",
                milliseconds(ours),
                milliseconds(bare),
                bar: "\(bar.text) = \(milliseconds(limit))",
                isHeld: ours <= limit
            )
        }
    }

    private func reference(_ groups: Groups, _ times: inout Times) throws {
        let command = Command(
            path: "\(references)/reference-freeze",
            // Quell freezes in v2 and finds the v1 group covered by it; so does the yardstick. Its journal is a file of its
            // own each time, as Quell's is.
            arguments: ["\(work)/\(groups.name).journal"] + groups.paths.prefix(1)
        )
        let measured = try command.run()
        times.frozen.append(try number("frozen", in: measured.output) - measured.started)
        times.proof.append(try number("proof", in: measured.output) - measured.started)
    }

    /// Quell's own stamps are CLOCK_MONOTONIC too, so both are counted from the start of the command.
    private func product(_ groups: Groups, _ times: inout Times) throws {
        let measured = try quellCommand(["freeze", "cgroup:/\(groups.name)", "--json"]).run()
        times.frozen.append(try number("frozenAt", in: measured.output) - measured.started)
        times.proof.append(try number("provenAt", in: measured.output) - measured.started)
        if measured.output.contains("\"record\":\"emergency\"") { times.emergencies += 1 }
    }

    /// Again beside a disk writer and eight processes that burn time.
    mutating func freezeUnderLoad() throws {
        let rounds = isSmoke ? 1 : 21
        defer { unlink("\(work)/writer.bin") }
        try beside([["writer", "\(work)/writer.bin"], ["hogs", "8"]]) { bench in
            try bench.freeze("under load", rounds: rounds)
        }
    }

    /// Measures beside victims that load the machine.
    mutating func beside(_ loads: [[String]], _ body: (inout Bench) throws -> Void) throws {
        var running: [pid_t] = []
        defer {
            for process in running {
                kill(-process, SIGKILL)
                var status: Int32 = 0
                waitpid(process, &status, 0)
            }
        }
        for load in loads {
            // In its own process group, so that its children go with it.
            let arguments = ["\(references)/reference-victims"] + load
            let (process, output) = try Command(path: "/usr/bin/setsid", arguments: arguments).start()
            running.append(process)
            var mark = [UInt8](repeating: 0, count: 6)
            guard read(output, &mark, 6) == 6 else { throw Command.Failed(description: "the load did not get ready") }
            close(output)
        }
        try body(&self)
    }

    /// A tree of 1 GiB in 12,000 files against bsdtar; a smoke run takes 16 MiB in 600.
    mutating func capture() throws {
        let tree = "\(work)/tree"
        let size = isSmoke ? ["16777216", "600"] : ["1073741824", "12000"]
        _ = try Command(path: "\(references)/reference-tree", arguments: [tree, "1"] + size).run()
        let groups = try Groups(victims: "\(references)/reference-victims", count: 1)
        defer { groups.destroy() }
        try inventory(
            """
            agents:
              - name: bench
                owner: benchmark
                locator: "cgroup:/\(groups.name)"
                workspace: [\(tree)]

            """
        )
        var ours: [Command.Measured] = []
        var theirs: [Command.Measured] = []
        for _ in 0..<(isSmoke ? 1 : 3) {
            let archive = "\(work)/reference.tar.zst"
            theirs.append(
                try Command(
                    path: "/usr/bin/bsdtar",
                    arguments: ["--zstd", "--options", "zstd:compression-level=1", "-cf", archive, "-C", work, "tree"],
                    environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
                ).run()
            )
            unlink(archive)
            ours.append(try quellCommand(["capture", "agent:bench", "--profile", "standard", "--json"]).run())
        }
        let cpu = median(ours.map(\.cpu))
        let bareCPU = median(theirs.map(\.cpu))
        table.add(
            "capture of \(isSmoke ? "16 MiB" : "1 GiB"): CPU",
            milliseconds(cpu),
            milliseconds(bareCPU),
            bar: "2x = \(milliseconds(bareCPU * 2))",
            isHeld: cpu <= bareCPU * 2
        )
        let peak = ours.map(\.peak).max() ?? 0
        table.add(
            "capture: peak memory",
            "\(peak >> 20) MiB",
            "\((theirs.map(\.peak).max() ?? 0) >> 20) MiB",
            bar: "100 MB",
            isHeld: peak < 100_000_000
        )
    }

    func inventory(_ text: String) throws {
        let path = "\(work)/store/agents.yaml"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Command.Failed(description: "cannot write \(path)") }
        defer { close(file) }
        guard write(file, text, text.utf8.count) == text.utf8.count else {
            throw Command.Failed(description: "cannot write \(path)")
        }
    }
}
