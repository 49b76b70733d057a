import Base
import Sessions
import Testing

@Suite("Locators")
struct LocatorTests {
    @Test(
        "a locator is read and printed",
        arguments: [
            ("cgroup:/agents/a7", Locator.cgroup(BytePath("/agents/a7")), "cgroup:/agents/a7"),
            ("cgroup://agents//a7/", .cgroup(BytePath("/agents/a7")), "cgroup:/agents/a7"),
            ("cgroup:/", .cgroup(BytePath("/")), "cgroup:/"),
            ("pid:4711", .pid(4711), "pid:4711"),
            ("4711", .pid(4711), "pid:4711"),
            ("agent:claude-a7", .agent("claude-a7"), "agent:claude-a7"),
            ("a7", .name(BytePath("a7")), "a7"),
            ("a7:b", .name(BytePath("a7:b")), "a7:b"),
            ("4711x", .name(BytePath("4711x")), "4711x"),
            ("cgroup:/rt (deleted)", .cgroup(BytePath("/rt (deleted)")), "cgroup:/rt (deleted)"),
            ("podman:web-1.x_y", .podman(container("web-1.x_y")), "podman:web-1.x_y"),
            ("podman:agents/web", .podman(container("agents/web")), "podman:agents/web"),
            ("runc:a+b,c._-", .oci(oci("a+b,c._-", .runc)), "runc:a+b,c._-"),
            ("runc:agents/web", .oci(oci("agents/web", .runc)), "runc:agents/web"),
            ("crun:web", .oci(oci("web", .crun)), "crun:web"),
            ("lxc:web", .lxc(container("web")), "lxc:web"),
            ("docker:web-1.x_y", .docker(container("web-1.x_y")), "docker:web-1.x_y"),
            ("nspawn:web.example", .nspawn(container("web.example")), "nspawn:web.example"),
            ("runsc:agent-7", .runsc(container("agent-7")), "runsc:agent-7"),
            ("qmp:/run/vm/q.sock", .qmp(BytePath("/run/vm/q.sock")), "qmp:/run/vm/q.sock"),
            ("unit:agent@7.service", .unit(unit("agent@7.service")), "unit:agent@7.service"),
            ("unit:agent", .unit(unit("agent.service")), "unit:agent.service"),
            ("unit:1000/run-u1.scope", .unit(unit("1000/run-u1.scope")), "unit:1000/run-u1.scope"),
            ("cgroup:/a:b", .cgroup(BytePath("/a:b")), "cgroup:/a:b"),
            ("path://srv//agent/", .path(BytePath("/srv/agent")), "path:/srv/agent"),
        ]
    )
    func reading(argument: String, locator: Locator, printed: String) throws {
        #expect(try Locator(parsing: argument) == locator)
        #expect(String(decoding: locator.argument.bytes, as: UTF8.self) == printed)
        #expect(try Locator(parsing: locator.argument) == locator)
    }

    @Test(
        "what is no locator is a usage error that says what works",
        arguments: [
            ("", "it is empty"),
            ("pid:", "a pid is a whole number from 1"),
            ("pid:0", "a pid is a whole number from 1"),
            ("pid:-1", "a pid is a whole number from 1"),
            ("pid:+1", "a pid is a whole number from 1"),
            ("pid:99999999999", "a pid is a whole number from 1"),
            ("0", "a pid is a whole number from 1"),
            ("cgroup:agents", "the path of a cgroup begins with a slash at the root of the hierarchy"),
            ("cgroup:/a/../b", "the path of a cgroup has no . and no .."),
            ("agent:A7", "the name of an agent has only a-z, 0-9 and -"),
            ("agent:-a", "the name of an agent has only a-z, 0-9 and -"),
            ("/agents/a7", "a path names no session; write cgroup: in front if it is a cgroup's"),
            ("podman:", containerRule), ("podman:/etc/passwd", containerRule), ("podman:../x", containerRule),
            ("podman:a/b/c", containerRule), ("podman:a/..", containerRule), ("podman:./a", containerRule),
            ("podman:$(id)", containerRule), ("podman:a\nb", containerRule), ("podman:a'b", containerRule),
            ("podman:a\"b", containerRule), ("podman:-rf", containerRule), ("podman:a b", containerRule),
            ("runc:", ociRule), ("runc:..", ociRule), ("runc:.", ociRule), ("runc:/run/x", ociRule),
            ("runc:a/b/c", ociRule), ("runc:../x", ociRule), ("runc:a/../b", ociRule), ("runc:$(id)", ociRule),
            ("runc:`id`", ociRule), ("runc:a\nb", ociRule), ("runc:a'b", ociRule), ("runc:a\"b", ociRule),
            ("runc:a b", ociRule), ("runc:é", ociRule), ("runc:" + String(repeating: "a", count: 256), ociRule),
            ("lxc:", lxcRule), ("lxc:../x", lxcRule), ("lxc:u/web", lxcRule), ("lxc:$(id)", lxcRule),
            ("lxc:a\nb", lxcRule), ("lxc:-P", lxcRule),
            ("unit:", unitRule), ("unit:user.slice", unitRule), ("unit:a.timer", unitRule), ("unit:a/b/c", unitRule),
            ("unit:../x.service", unitRule), ("unit:-x.service", unitRule), ("unit:$(id).service", unitRule),
            ("unit:a b.service", unitRule), ("unit:a\n.service", unitRule), ("unit:/a.service", unitRule),
            ("docker:", dockerRule), ("docker:u/web", dockerRule), ("docker:../x", dockerRule),
            ("docker:/etc/passwd", dockerRule), ("docker:$(id)", dockerRule), ("docker:a\nb", dockerRule),
            ("docker:a'b", dockerRule), ("docker:a\"b", dockerRule), ("docker:-H", dockerRule),
            ("nspawn:", nspawnRule), ("nspawn:../x", nspawnRule), ("nspawn:u/web", nspawnRule),
            ("nspawn:$(id)", nspawnRule), ("nspawn:a\nb", nspawnRule), ("nspawn:a'b", nspawnRule),
            ("nspawn:.", nspawnRule),
            ("runsc:a/b", "the id of a container has only letters, digits, _, . and -"),
            ("runsc:../x", "the id of a container has only letters, digits, _, . and -"),
            ("qmp:q.sock", "the path of a monitor's socket begins with a slash and has at most 107 bytes"),
            ("firecracker:a", "firecracker: is not built yet"),
            ("path:srv", "the path of a directory begins with a slash and has no . and no .."),
            ("path:/srv/../etc", "the path of a directory begins with a slash and has no . and no .."),
            ("path:/", "the path of a directory begins with a slash and has no . and no .."),
        ]
    )
    func refusing(argument: String, reason: String) {
        let failure = #expect(throws: Failure.self) { try Locator(parsing: argument) }
        #expect(failure?.code == .usage)
        #expect(failure?.reason == reason)
        #expect(failure?.hint == "these work today: \(Locator.forms)")
    }

    @Test("a path that is not UTF-8 keeps its bytes and prints escaped")
    func bytes() throws {
        let path = BytePath(Array("cgroup:/a".utf8) + [0xFF, 0x1B])
        let locator = try Locator(parsing: path)
        #expect(locator.argument == path)
        #expect(locator.description == "cgroup:/a\\xff\\u{1b}")
    }
}

private let containerRule = "the name of a container has only letters, digits, _, . and -; USER/ may stand in front"

private let ociRule = "an id of runc has only letters, digits, _, +, comma, . and -; USER/ may stand in front"
private let dockerRule = "the name of a container of docker has only letters, digits, _, . and -"
private let nspawnRule = "the name of a machine has only letters, digits, _, . and -"
private let lxcRule = "the name of a container of lxc has only letters, digits, _, . and -"

private let unitRule = "a unit is NAME.service or NAME.scope in systemd's letters; USER/ may stand in front"

/// A unit's name that must be one.
private func unit(_ text: String) -> UnitName {
    guard let name = UnitName(parsing: BytePath(text)) else { preconditionFailure("no unit's name: \(text)") }
    return name
}

/// An id that must be one.
private func oci(_ text: String, _ runtime: OCIContainer.Runtime) -> OCIContainer {
    guard let container = OCIContainer(parsing: BytePath(text), of: runtime) else {
        preconditionFailure("no container's id: \(text)")
    }
    return container
}

/// A name that must be one.
private func container(_ text: String) -> ContainerName {
    guard let name = ContainerName(parsing: BytePath(text)) else { preconditionFailure("no container's name: \(text)") }
    return name
}
