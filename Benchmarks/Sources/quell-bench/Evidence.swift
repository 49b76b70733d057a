import Glibc

/// The bars of evidence: what a capture and a verification take, against stock tools on the same tree in the same run.
extension Bench {
    private struct Sizes {
        let bytes: String
        let files: String
        let rounds: Int
        let few: Int
        let many: Int
    }

    /// With `treeOnly` the many files are left out, which take a quarter of an hour.
    mutating func evidence(treeOnly: Bool = false) throws {
        let sizes =
            isSmoke
            ? Sizes(bytes: "16777216", files: "600", rounds: 1, few: 300, many: 3_000)
            : Sizes(bytes: "1073741824", files: "12000", rounds: 5, few: 100_000, many: 1_000_000)
        try captureOfOneTree(sizes)
        if !treeOnly { try captureOfManyFiles(sizes) }
    }

    private mutating func captureOfOneTree(_ sizes: Sizes) throws {
        let tree = try makeTree("evidence", sizes.bytes, sizes.files)
        let session = try session(workspace: tree)
        defer { session.destroy() }
        var ours: [Command.Measured] = []
        var verifications: [Command.Measured] = []
        var bsdtar: [Command.Measured] = []
        var pipeline: [Command.Measured] = []
        var bounds: [UInt64] = []
        var checks: [UInt64] = []
        for _ in 0..<sizes.rounds {
            bsdtar.append(
                try shell(
                    "bsdtar --zstd --options zstd:compression-level=1 -cf \(work)/out.tar.zst -C \(work) evidence"
                )
            )
            pipeline.append(
                try shell(
                    "tar -cf - -C \(work) evidence | tee >(sha256sum >\(work)/sum) | zstd -1 -T2 -qf -o \(work)/out.zst"
                )
            )
            bounds.append(try bound())
            let captured = try measuredCapture()
            ours.append(captured.measured)
            verifications.append(
                try quellCommand(["bundle", "verify", captured.bundle, "--json"]).run()
            )
            checks.append(try decompressAndHash(captured.bundle))
            _ = try shell("rm -rf \(captured.bundle)")
        }
        let cpu = median(ours.map(\.cpu))
        let bare = median(bsdtar.map(\.cpu))
        row("capture: CPU against bsdtar --zstd", cpu, bare, "1.5x", cpu * 2 <= bare * 3)
        let wall = median(ours.map(\.wall))
        let piped = median(pipeline.map(\.wall))
        row("capture: wall against tar | tee >(sha256sum) | zstd -T2", wall, piped, "1/1.8", wall * 18 <= piped * 10)
        let least = median(bounds)
        row(
            "capture: wall against read + SHA-256 + zstd -1 on two cores",
            wall,
            least,
            "1.15x",
            wall * 100 <= least * 115
        )
        let peak = ours.map(\.peak).max() ?? 0
        table.add("capture: peak memory", "\(peak >> 20) MiB", "", bar: "100 MB", isHeld: peak < 100_000_000)
        let verified = median(verifications.map(\.cpu))
        let checked = median(checks)
        row("verify: CPU against zstd -d plus openssl dgst", verified, checked, "1.2x", verified * 10 <= checked * 12)
    }

    /// Time must grow with the number of files and no faster.
    private mutating func captureOfManyFiles(_ sizes: Sizes) throws {
        var walls: [UInt64] = []
        for count in [sizes.few, sizes.many] {
            let tree = try makeTree("many-\(count)", "\(count * 16)", "\(count)")
            let session = try session(workspace: tree)
            defer { session.destroy() }
            let captured = try measuredCapture()
            walls.append(captured.measured.wall)
            _ = try shell("rm -rf \(captured.bundle) \(tree)")
            guard captured.measured.peak < 100_000_000 || isSmoke else {
                throw Command.Failed(description: "\(count) files took \(captured.measured.peak >> 20) MiB")
            }
        }
        let limit = walls[0] * 11
        row("capture of \(sizes.many) files against \(sizes.few)", walls[1], walls[0], "11x", walls[1] <= limit)
    }

    private mutating func row(_ what: String, _ ours: UInt64, _ reference: UInt64, _ bar: String, _ isHeld: Bool) {
        table.add(what, milliseconds(ours), milliseconds(reference), bar: bar, isHeld: isHeld)
    }

    private func makeTree(_ name: String, _ bytes: String, _ files: String) throws -> String {
        let tree = "\(work)/\(name)"
        _ = try Command(path: "\(references)/reference-tree", arguments: [tree, "1", bytes, files]).run()
        // Else the kernel writes the new tree to disk while the first of those that are compared reads it.
        sync()
        return tree
    }

    private func session(workspace: String) throws -> Groups {
        let groups = try Groups(victims: "\(references)/reference-victims", count: 1)
        try inventory(
            """
            agents:
              - name: bench
                owner: benchmark
                locator: "cgroup:/\(groups.name)"
                workspace: [\(workspace)]

            """
        )
        return groups
    }

    private func measuredCapture() throws -> (measured: Command.Measured, bundle: String) {
        let measured = try quellCommand(["capture", "agent:bench", "--profile", "standard", "--json"]).run(allowing: [
            0, 3,
        ])
        guard let key = measured.output.firstRange(of: "\"bundle\":\"") else {
            throw Command.Failed(description: "no bundle in \(measured.output.prefix(500))")
        }
        return (measured, String(measured.output[key.upperBound...].prefix { $0 != "\"" }))
    }

    /// CPU of reading, hashing and compressing the tree, shared by two cores that never wait: nothing can be faster.
    private func bound() throws -> UInt64 {
        let read = "find \(work)/evidence -type f -print0 | xargs -0 cat"
        let reading = try shell("\(read) > /dev/null").cpu
        let hashing = try shell("\(read) | openssl dgst -sha256").cpu
        let compressing = try shell("\(read) | zstd -1 -qc --single-thread > /dev/null").cpu
        return (hashing + compressing - min(reading, hashing + compressing)) / 2
    }

    private func decompressAndHash(_ bundle: String) throws -> UInt64 {
        let read = "cat \(bundle)/data/files/*.pax.zst.* | zstd -dcq"
        let decompressing = try shell("\(read) > \(work)/plain").cpu
        let hashing = try shell("openssl dgst -sha256 \(work)/plain").cpu
        _ = try shell("rm -f \(work)/plain")
        return decompressing + hashing
    }

    private func shell(_ script: String) throws -> Command.Measured {
        try Command(
            path: "/bin/bash",
            arguments: ["-c", "set -o pipefail; \(script); status=$?; wait; exit $status"],
            environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
        ).run()
    }
}
