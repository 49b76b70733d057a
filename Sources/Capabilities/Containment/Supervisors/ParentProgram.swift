internal import Base
internal import Glibc
internal import Kernel

/// What the living parent of a member runs, and so whether it starts the member again (RT4). A process chooses its own
/// name, so a name alone never says that somebody starts nothing.
struct ParentProgram {
    /// The last component of what it executes, whatever file that is; `nil` when the kernel does not tell.
    let executable: String?
    /// The same, when it is a file of the host's that only root can change.
    let trusted: String?

    /// The same, when that file was removed since, as an upgrade does, from a folder that packages install into.
    let replaced: String?

    init(executable: String?, trusted: String?) {
        self.executable = executable
        self.trusted = trusted
        replaced = nil
    }

    /// Asks the kernel. A parent that has ended meanwhile, or that may not be looked at, executes nothing that is known.
    init(_ parent: ProcessStat, on host: Host) {
        var executable: String?
        var replaced: String?
        var isTrusted = false
        do throws(Failure) {
            let process = try ProcessDirectory(parent.pin, on: host)
            if let path = try process.executable(), let file = try process.executableFile() {
                executable = path.lastComponent.text
                isTrusted = ParentProgram.isRoots(path, file)
                replaced = ParentProgram.replaced(path)
            }
        } catch {
            executable = nil
        }
        self.executable = executable
        trusted = isTrusted ? executable : nil
        self.replaced = replaced
    }

    /// Only below the folders that packages install into: elsewhere a user may have made a link to a file of root's.
    static func isRoots(_ path: BytePath, _ file: (device: UInt64, inode: UInt64)) -> Bool {
        var facts = stat()
        guard isInstalled(path), path.withCString({ lstat($0, &facts) }) == 0 else { return false }
        return UInt64(facts.st_dev) == file.device && UInt64(facts.st_ino) == file.inode && facts.st_uid == 0
            && facts.st_mode & S_IFMT == S_IFREG && facts.st_mode & 0o022 == 0
    }

    private static func isInstalled(_ path: BytePath) -> Bool {
        guard let top = path.components.first?.text else { return false }
        return path.isAbsolute && ["usr", "bin", "sbin", "lib"].contains(top)
    }

    /// The name of a file that the kernel calls deleted.
    private static func replaced(_ path: BytePath) -> String? {
        let mark = " (deleted)"
        guard isInstalled(path), let name = path.lastComponent.text, name.hasSuffix(mark) else { return nil }
        return String(name.dropLast(mark.count))
    }

    /// Whether it executes a file of the host's without which the machine is lost. After an upgrade of its package the
    /// file has lost its name.
    var isGuarded: Bool {
        guard let program = trusted ?? replaced else { return false }
        return Refusals.guarded.contains(program) || ParentProgram.guardedFiles.contains(program)
    }

    /// The supervisor that the parent is; `nil` for programs that start nothing again by themselves.
    func supervisor(_ parent: ProcessStat) -> Supervisor? {
        if let trusted, ParentProgram.idle.contains(trusted) { return nil }
        if let program = trusted ?? replaced,
            ParentProgram.daemons.contains(program) || program.hasPrefix("containerd-shim")
        {
            return Supervisor(
                kind: .sharedDaemon,
                name: parent.name,
                detail: "process \(parent.pid) started a member and may start it again",
                process: parent.pin,
                reason: "it serves more than this session: take the session out of its table, "
                    + "or --include \(parent.pid) holds it, too"
            )
        }
        let names = [parent.name.text, executable].compactMap { $0 }
        let isLoop = names.contains { ParentProgram.starters.contains($0) || $0.hasPrefix("python") }
        return Supervisor(
            kind: .parentLoop,
            name: parent.name,
            detail: "process \(parent.pid) is the parent of a member and may start it again",
            process: parent.pin,
            reason: isLoop ? nil : "it is not known for starting things again: --include \(parent.pid) holds it, too"
        )
    }

    /// Whose business is to start things.
    private static let starters: Set<String> = [
        "sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "busybox", "supervisord", "runsv", "runsvdir",
        "s6-supervise", "s6-svscan", "monit", "god", "circusd", "pm2", "nodemon", "foreman", "forever", "tini",
        "dumb-init", "catatonit", "watch", "timeout", "perl",
    ]

    /// Who starts things for the whole machine: to hold one of these would hold others' work.
    private static let daemons: Set<String> = ["cron", "crond", "atd", "anacron", "kubelet", "containerd", "dockerd"]

    /// Files of ``Refusals/guarded`` programs that have another name than their processes.
    private static let guardedFiles: Set<String> = [
        "systemd-journald", "udevadm", "sshd-session", "sshd-auth",
    ]

    /// Who waits for what it started and starts nothing again: believed only as a file of the host's. Units of systemd's
    /// are found by their files, containers by their stores.
    private static let idle: Set<String> = [
        "conmon", "runc", "crun", "runsc", "podman", "docker", "bwrap", "firejail", "lxc-start", "systemd-nspawn",
        "systemd", "systemd-executor", "sshd", "sshd-session", "login", "su", "sudo", "doas", "runuser", "setpriv",
        "tmux", "screen", "script", "unshare", "nsenter", "setsid",
    ]
}
