import Glibc
import Programs
import Testing

/// Debian's own cron with tables of this test's, in a mount namespace of its own. Its clock runs sixty times as fast, so that
/// a minute of cron's takes a second; what it starts has the true clock.
struct CronDaemon {
    /// The folder whose tables it reads; the root for those who look for them.
    let root: String
    /// root's table.
    let table: String
    let process: Child

    init(_ text: String) throws {
        let sandbox = try Sandbox.of()
        root = "\(sandbox.folder)/machine"
        table = "\(root)/var/spool/cron/crontabs/root"
        let script = """
            set -e
            umask 022
            mkdir -p "$0/etc/cron.d" "$0/var/spool/cron/crontabs"
            chgrp crontab "$0/var/spool/cron/crontabs" && chmod 1730 "$0/var/spool/cron/crontabs"
            echo root:x:0:0::/root:/bin/sh >"$0/etc/passwd"
            cat >"$0/etc/cron.d/quell-test" </dev/null
            : >"$0/etc/crontab"
            umask 077 && printf '%s' "$1" >"$0/var/spool/cron/crontabs/root"
            """
        let made = try Program("/bin/sh", ["-c", script, root, text]).run()
        try #require(made.status == 0, "\(made.errorText)")
        let mounts = """
            mount --bind "$0/var/spool/cron/crontabs" /var/spool/cron/crontabs &&
            mount --bind "$0/etc/cron.d" /etc/cron.d && mount --bind "$0/etc/crontab" /etc/crontab &&
            mount -t tmpfs none /run &&
            exec env LD_PRELOAD='/usr/$LIB/faketime/libfaketime.so.1' FAKETIME='+0 x60' NO_FAKE_STAT=1 /usr/sbin/cron -f
            """
        let unshare = Program.find("unshare") ?? "unshare"
        process = try sandbox.start(Program(unshare, ["-m", "/bin/sh", "-c", mounts, root]), in: .unified)
    }
}
