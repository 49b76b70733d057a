import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("The names of podman's containers in lists")
struct ContainerNamesTests {
    private let id = String(repeating: "0a", count: 32)

    private func group(_ path: String, uid: UInt32 = 0) -> SessionSorting.Group {
        let process = OverviewProcess(
            pin: ProcessPin(pid: 20, startTicks: 20),
            parent: 1,
            name: BytePath("node"),
            started: Instant(nanoseconds: 0),
            uid: uid,
            cgroups: [CgroupLine(hierarchy: "v2", path: BytePath(path))]
        )
        let runtime = SessionRuntime(of: process.cgroups)
        return SessionSorting.Group(runtime: runtime, leader: process, signs: [], members: [process])
    }

    private func labels(_ groups: [SessionSorting.Group], _ machine: RecordedMachine) throws -> [BytePath?] {
        var names = ContainerNames(host: try machine.host(), root: BytePath(machine.root))
        let found = names.label(groups).map(\.runtime.label)
        #expect(names.failures.isEmpty)
        return found
    }

    @Test("root's containers, and a user's by the user's slice or the first process, get the names of their storage")
    func named() throws {
        let uid = geteuid() == 0 ? 1234 : geteuid()
        let machine = try RecordedMachine()
        let list = "overlay-containers/containers.json"
        try machine.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nagents:x:\(uid):7::/home/agents:/bin/sh\n")
        let other = String(repeating: "0b", count: 32)
        try machine.file(
            "var/lib/containers/storage/\(list)",
            "[{\"id\":\"\(id)\",\"names\":[\"web\",\"alias\"]},{\"id\":\"\(other)\"}]"
        )
        let own = "home/agents/.local/share/containers/storage"
        try machine.file("\(own)/\(list)", "[{\"id\":\"\(id)\",\"names\":[\"own\"]}]")
        let slice = "/user.slice/user-\(uid).slice/user@\(uid).service/user.slice/libpod-\(id).scope"
        let groups = [
            group("/libpod_parent/libpod-\(id)"), group("/libpod_parent/libpod-\(other)"), group(slice, uid: 100_999),
            group("/libpod_parent/libpod-\(id)", uid: uid), group("/docker/\(id)"), group("/agents/a7"),
        ]
        let expected: [String?] = ["web", nil, "own", "own", nil, nil]
        #expect(try labels(groups, machine) == expected.map { $0.map { BytePath($0) } })
    }

    @Test("without storage there is no name and no failure; storage of another form is told")
    func absent() throws {
        let machine = try RecordedMachine()
        #expect(try labels([group("/libpod_parent/libpod-\(id)")], machine) == [nil])
        try machine.file("var/lib/containers/storage/overlay-containers/containers.json", "{}")
        var names = ContainerNames(host: try machine.host(), root: BytePath(machine.root))
        _ = names.label([group("/libpod_parent/libpod-\(id)"), group("/machine.slice/libpod-\(id).scope")])
        #expect(names.failures.map(\.code) == [.malformed])
    }
}
