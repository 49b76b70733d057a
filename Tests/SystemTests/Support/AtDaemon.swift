import Programs
import Testing

/// Debian's own atd with a queue of this test's, in a mount namespace of its own.
struct AtDaemon {
    /// The folder whose queue it reads.
    let root: String
    private let process: Child

    init() throws {
        let sandbox = try Sandbox.of()
        root = "\(sandbox.folder)/machine"
        let script = """
            set -e
            spool=$0/var/spool/cron
            mkdir -p "$0/etc" "$spool/atjobs" "$spool/atspool"
            echo root:x:0:0::/root:/bin/sh >"$0/etc/passwd"
            echo 0 >"$spool/atjobs/.SEQ" && chmod 600 "$spool/atjobs/.SEQ"
            chown -R daemon:daemon "$spool/atjobs" "$spool/atspool" && chmod 1770 "$spool/atjobs" "$spool/atspool"
            """
        let made = try Program("/bin/sh", ["-c", script, root]).run()
        try #require(made.status == 0, "\(made.errorText)")
        let mounts = """
            mount --bind "$0/var/spool/cron/atjobs" /var/spool/cron/atjobs &&
            mount --bind "$0/var/spool/cron/atspool" /var/spool/cron/atspool && mount -t tmpfs none /run &&
            exec /usr/sbin/atd -f
            """
        let unshare = Program.find("unshare") ?? "unshare"
        process = try sandbox.start(Program(unshare, ["-m", "/bin/sh", "-c", mounts, root]), in: .unified)
        let pid = process.id
        // It has its lock when it has its namespace and its own name.
        let isUp = eventually(within: .seconds(30)) {
            Files.text("/proc/\(pid)/comm") == "atd\n" && Files.text("/proc/\(pid)/root/run/atd.pid") != nil
        }
        try #require(isUp)
    }

    /// Runs a command of the shell where this queue is the machine's.
    func run(_ command: String) throws {
        let nsenter = Program.find("nsenter") ?? "nsenter"
        let result = try Program(nsenter, ["-t", "\(process.id)", "-m", "/bin/sh", "-c", "cd /tmp && \(command)"]).run()
        try #require(result.status == 0, "\(result.errorText)")
    }
}
