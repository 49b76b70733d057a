import Glibc

/// Sessions of one process to five thousand, beside a hundred processes that burn time, and a container beside
/// `podman pause`.
extension Bench {
    mutating func containment() throws {
        let sizes = isSmoke ? [(1, 1)] : [(1, 21), (100, 21), (1000, 7), (5000, 3)]
        for (count, rounds) in sizes {
            try freeze("freeze of \(count)", of: count, rounds: rounds, toFrozen: .twice)
        }
        if !isSmoke {
            try beside([["hogs", "100"]]) { bench in
                for (count, rounds) in [(1, 11), (100, 11), (1000, 5)] {
                    try bench.freeze("\(count) beside 100 hogs", of: count, rounds: rounds, toFrozen: .twice)
                }
            }
        }
        try neverRan()
        try podmanPause()
    }

    /// From Enter to frozen and silent where Quell never ran: the binary just copied, nothing of it in memory, no store.
    private mutating func neverRan() throws {
        var frozen: [UInt64] = []
        var ends: [UInt64] = []
        for _ in 0..<(isSmoke ? 1 : 7) {
            let groups = try Groups(victims: "\(references)/reference-victims", count: 100)
            defer { groups.destroy() }
            let folder = "\(work)/never"
            let script = """
                rm -rf "$0"; mkdir -p "$0"; cp "$1" "$0/quell"; sync; echo 3 >/proc/sys/vm/drop_caches
                """
            _ = try Command(path: "/bin/sh", arguments: ["-c", script, folder, quell]).run()
            let measured = try Command(
                path: "\(folder)/quell",
                arguments: ["freeze", "cgroup:/\(groups.name)", "--json"],
                environment: ["PATH": "/usr/bin:/bin", "QUELL_STORE": "\(folder)/store"]
            ).run()
            frozen.append(try number("frozenAt", in: measured.output) - measured.started)
            ends.append(measured.wall)
        }
        table.add(
            "where it never ran, caches dropped: to frozen and silent",
            milliseconds(median(frozen)),
            "",
            bar: "told",
            isHeld: true
        )
        table.note(
            "where it never ran: medians of \(frozen.count); to its end with proof \(milliseconds(median(ends)))"
        )
    }

    /// The same container, from Enter to the word: `podman pause` ends when it has asked the freezer; `quell freeze` says its
    /// word when it has frozen, dropped the network, looked for strays twice and held what restarts it, and then goes on to
    /// look around. That whole command is told, too.
    private mutating func podmanPause() throws {
        let name = "quell-bench-\(getpid())"
        let script = """
            set -e
            mkdir -p "$0/bin" "$0/etc" "$0/proc" "$0/sys" "$0/dev" "$0/tmp" "$0/run"
            cp /bin/busybox "$0/bin/busybox"; ln -sf busybox "$0/bin/sleep"; tar -C "$0" -cf "$0.tar" .
            podman import -q "$0.tar" "localhost/$1:1" >&2
            podman --runtime runc run -d --network=none --log-driver k8s-file --name "$1" --ulimit nofile=1024:1024 \
                --ulimit nproc=4096:4096 "localhost/$1:1" sleep 1000 >&2
            """
        let path = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"]
        defer {
            for arguments in [
                ["unpause", name], ["rm", "-f", "-t", "0", name], ["rmi", "-f", "localhost/\(name):1"],
            ] {
                _ = try? Command(path: "/usr/bin/podman", arguments: arguments, environment: path)
                    .run(allowing: Set(0...255))
            }
        }
        _ = try Command(path: "/bin/sh", arguments: ["-c", script, "\(work)/image", name], environment: path).run()
        var proofs: [UInt64] = []
        var wholes: [UInt64] = []
        var theirs: [UInt64] = []
        for _ in 0..<(isSmoke ? 1 : 11) {
            let pause = Command(path: "/usr/bin/podman", arguments: ["pause", name], environment: path)
            theirs.append(try pause.run().wall)
            _ = try Command(path: "/usr/bin/podman", arguments: ["unpause", name], environment: path).run()
            let frozen = try quellCommand(["freeze", "podman:\(name)", "--json"]).run()
            proofs.append(try number("provenAt", in: frozen.output) - frozen.started)
            wholes.append(frozen.wall)
            _ = try quellCommand(["thaw", "podman:\(name)", "--release", "--waive", "benchmark", "--quiet"]).run()
        }
        let (quell, podman) = (median(proofs), median(theirs))
        table.add(
            "freeze of a container: to proof",
            milliseconds(quell),
            "\(milliseconds(podman)) (podman pause)",
            bar: "1x = \(milliseconds(podman))",
            isHeld: quell <= podman
        )
        table.note("freeze of a container: to the end of the command \(milliseconds(median(wholes)))")
    }
}
