import Base
import Kernel
import Testing

@testable import Sessions

@Suite("what runs a session")
struct SessionRuntimeTests {
    private static let id = String(repeating: "0a", count: 32)

    @Test(
        "a path of a cgroup tells the runtime, the name and where the session begins",
        arguments: [
            (
                "/machine.slice/libpod-ID.scope/container", SessionRuntime.Kind.podman, "ID",
                "/machine.slice/libpod-ID.scope"
            ),
            ("/libpod_parent/libpod-ID", .podman, "ID", "/libpod_parent/libpod-ID"),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", .podman, "ID",
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope"
            ),
            ("/system.slice/docker-ID.scope", .docker, "ID", "/system.slice/docker-ID.scope"),
            ("/docker/ID", .docker, "ID", "/docker/ID"),
            (
                "/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope", .containerd, "ID",
                "/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope"
            ),
            ("/kubepods/burstable/pod12/ID/x", .containerd, "ID", "/kubepods/burstable/pod12/ID"),
            ("/kubepods.slice/crio-ID.scope", .crio, "ID", "/kubepods.slice/crio-ID.scope"),
            ("/lxc.payload.web/init.scope", .lxc, "web", "/lxc.payload.web"),
            ("/machine.slice/machine-web.scope/payload", .nspawn, "web", "/machine.slice/machine-web.scope"),
            ("/system.slice/cron.service", .service, "cron.service", "/system.slice/cron.service"),
            (
                "/user.slice/user-0.slice/session-4.scope", .scope, "session-4.scope",
                "/user.slice/user-0.slice/session-4.scope"
            ),
            ("/system.slice/a.service/sub", .service, "a.service", "/system.slice/a.service"),
            ("/user.slice", .slice, "user.slice", "/user.slice"),
            ("/agents/a7", .cgroup, nil, "/agents/a7"),
            ("/", .process, nil, "/"),
            ("/a/NSJAIL.4711/b", .nsjail, "NSJAIL.4711", "/a/NSJAIL.4711"),
            ("/firecracker/551e-1", .firecracker, "551e-1", "/firecracker/551e-1"),
            ("/lxc.monitor.web", .process, nil, "/lxc.monitor.web"),
            // What only begins like a container's name is none.
            ("/libpod-web", .cgroup, nil, "/libpod-web"),
            ("/NSJAIL.", .cgroup, nil, "/NSJAIL."),
            ("/NSJAIL.4x", .cgroup, nil, "/NSJAIL.4x"),
            ("/docker/ID0", .cgroup, nil, "/docker/ID0"),
        ] as [(String, SessionRuntime.Kind, String?, String)]
    )
    func paths(path: String, kind: SessionRuntime.Kind, name: String?, begin: String) {
        func filled(_ text: String) -> String {
            text.split(separator: "ID", omittingEmptySubsequences: false).joined(separator: Self.id)
        }
        let found = SessionRuntime(of: [CgroupLine(hierarchy: "v2", path: BytePath(filled(path)))])
        #expect(found.kind == kind)
        #expect(found.name == name.map { BytePath(filled($0)) })
        #expect(found.cgroup == CgroupLine(hierarchy: "v2", path: BytePath(filled(begin))))
    }

    @Test("on a hybrid machine the hierarchy that knows more tells: any for containers, systemd's for units")
    func hybrid() {
        func line(_ hierarchy: String, _ path: String) -> CgroupLine {
            CgroupLine(hierarchy: hierarchy, path: BytePath(path))
        }
        let container = SessionRuntime(of: [line("v2", "/"), line("v1:memory", "/docker/\(Self.id)")])
        #expect(container.kind == .docker && container.cgroup.hierarchy == "v1:memory")
        let unit = SessionRuntime(of: [line("v2", "/"), line("v1:name=systemd", "/system.slice/cron.service")])
        #expect(unit.kind == .service)
        let frozen = SessionRuntime(of: [line("v2", "/"), line("v1:freezer", "/a7"), line("v1:name=systemd", "/")])
        #expect(frozen.kind == .cgroup && frozen.cgroup == line("v1:freezer", "/a7"))
        // A cgroup of another controller is nobody's session: it only counts.
        #expect(SessionRuntime(of: [line("v2", "/"), line("v1:memory", "/a7")]).kind == .process)
    }

    @Test("a runtime is told in words, and what others named is escaped")
    func words() {
        func runtime(_ kind: SessionRuntime.Kind, _ name: String?, _ path: String = "/x") -> SessionRuntime {
            let cgroup = CgroupLine(hierarchy: "v2", path: BytePath(path))
            return SessionRuntime(kind, name: name.map { BytePath($0) }, at: cgroup)
        }
        var named = runtime(.podman, Self.id)
        #expect("\(named)" == "podman \(Self.id)")
        named.label = BytePath("a\u{1b}[2Jb")
        #expect("\(named)" == "podman a\\u{1b}[2Jb (0a0a0a0a0a0a)")
        #expect("\(runtime(.lxc, "web"))" == "lxc web")
        #expect("\(runtime(.bubblewrap, nil, "/"))" == "bubblewrap")
        #expect("\(runtime(.firejail, nil))" == "firejail in /x")
        #expect("\(runtime(.process, nil))" == "process in /x" && "\(runtime(.process, nil, "/"))" == "process")
        #expect("\(runtime(.cgroup, nil))" == "cgroup /x")
    }
}
