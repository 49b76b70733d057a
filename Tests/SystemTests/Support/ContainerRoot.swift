import Programs

/// A root file system with busybox in it, for containers that are started from a folder.
struct ContainerRoot {
    let path: String

    /// Makes it below the folder of the running test.
    init(named name: String) throws {
        path = "\(try Sandbox.of().folder)/\(name)"
        let script = """
            mkdir -p "$0" && cd "$0" && mkdir -p bin etc proc sys dev tmp run usr var root &&
            cp \(PodmanContainer.busybox) bin/busybox && echo ID=quell-test >etc/os-release &&
            for name in sh sleep true cat kill; do ln -sf busybox bin/$name; done
            """
        let made = try Program("/bin/sh", ["-c", script, path]).run()
        guard made.status == 0 else { throw PodmanContainer.Problem(description: "root: \(made.errorText)") }
    }

    /// Removes empty cgroups of that name below every hierarchy, deepest first; those that hold something stay.
    static func removeCgroups(_ pattern: String) {
        let script = "find /sys/fs/cgroup -depth -type d -name \"$0\" -exec rmdir {} + 2>/dev/null"
        _ = try? Program("/bin/sh", ["-c", script, pattern]).run()
    }
}
