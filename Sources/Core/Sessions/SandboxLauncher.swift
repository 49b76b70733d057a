internal import Base

/// Programs that put what they start into namespaces of its own, stay beside it and keep no state on disk: bubblewrap,
/// firejail, nsjail, systemd-nspawn; and Firecracker, which is the guest itself.
///
/// They are told by the name of a process that stands above the sandbox, which what runs inside cannot change. Whoever
/// starts one can name it otherwise: then its first process inside leads the session, and it is only a parent.
enum SandboxLauncher {
    private static let kinds: [String: SessionRuntime.Kind] = [
        "bwrap": .bubblewrap, "firejail": .firejail, "nsjail": .nsjail, "systemd-nspawn": .nspawn,
        "firecracker": .firecracker,
    ]

    /// What a process of that name runs.
    static func kind(named name: BytePath) -> SessionRuntime.Kind? { name.text.flatMap { kinds[$0] } }
}
