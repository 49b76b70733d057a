import Base
import Evidence
import Testing

@testable import Response

@Suite("trees of a session that nobody declared")
struct UndeclaredTreesTests {
    @Test(
        "a folder of the system, of everybody or of a person is never taken for a workspace",
        arguments: [
            "/", "/root", "/home", "/home/ada", "/tmp", "/etc", "/etc/quell", "/var", "/var/tmp", "/var/lib",
            "/usr/share/x",
            "/proc/1/root", "/run/quell", "/opt", "relative/folder", "/sys/fs/cgroup", "/dev/shm/x",
        ]
    )
    func refused(path: String) {
        #expect(!SessionFolder.isOfOneSession(BytePath(path)))
    }

    @Test(
        "a folder below those is taken",
        arguments: [
            "/home/ada/project", "/tmp/agent7", "/var/lib/agents/a7", "/srv/agents", "/opt/agent", "/root/project",
        ]
    )
    func taken(path: String) {
        #expect(SessionFolder.isOfOneSession(BytePath(path)))
    }
}
