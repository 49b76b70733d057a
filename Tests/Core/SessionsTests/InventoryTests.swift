import Base
import Sessions
import Testing

@Suite("Inventory")
struct InventoryTests {
    static let whole = """
        agents:
          - name: demo
            owner: platform team
            locator: cgroup:/quell-demo/agent
            workspace: [/srv/demo/workspace]
            transcripts: [/srv/demo/transcripts]
            logs: [/var/log/demo.log]
            uid: 1234
            supervisor: demo.service
            credentials:
              - id: demo-redis
                provider: redis
                principal: demo-agent
                server: "127.0.0.1:6390"
                serverExecutable: /usr/bin/redis-server
                serverUid: 102
                admin: { user: default, passwordFile: /etc/quell/redis-admin }
                secretFile: /srv/demo/redis-password
          - { name: bare, locator: pid:4711 }
        """

    @Test("every field of agents.yaml is read")
    func wholeFile() throws {
        let inventory = try parse(InventoryTests.whole)
        let credential = CredentialRecord(
            id: "demo-redis",
            provider: "redis",
            principal: "demo-agent",
            host: "127.0.0.1",
            port: 6390,
            serverExecutable: BytePath("/usr/bin/redis-server"),
            serverUID: 102,
            adminUser: "default",
            adminPasswordFile: BytePath("/etc/quell/redis-admin"),
            secretFile: BytePath("/srv/demo/redis-password")
        )
        let demo = AgentRecord(
            name: "demo",
            owner: "platform team",
            locator: .cgroup(BytePath("/quell-demo/agent")),
            workspace: [BytePath("/srv/demo/workspace")],
            transcripts: [BytePath("/srv/demo/transcripts")],
            logs: [BytePath("/var/log/demo.log")],
            uid: 1234,
            supervisor: "demo.service",
            credentials: [credential]
        )
        #expect(inventory.agents == [demo, AgentRecord(name: "bare", locator: .pid(4711))])
        #expect(credential.handle == "redis:demo-agent@127.0.0.1:6390")
        #expect(inventory.agent(named: "bare")?.locator == .pid(4711))
        #expect(inventory.agent(named: "none") == nil)
    }

    @Test(
        "an error names file, line, column and the fix",
        arguments: [
            ("agents:\n  - {name: a, locatr: pid:1}", "2:15", "unknown key \"locatr\"", "write \"locator\""),
            ("agent: []", "1:1", "unknown key \"agent\"", "write \"agents\""),
            (
                "agents:\n  - {name: a}", "2:5", "the key \"locator\" is missing",
                "add \"locator: ...\" to this mapping"
            ),
            (
                "agents:\n  - {name: a, locator: firecracker:x}", "2:24", "firecracker: is not built yet",
                "write cgroup:/PATH, podman:NAME, runc:ID, lxc:NAME or pid:N"
            ),
            (
                "agents:\n  - {name: A7, locator: pid:1}", "2:12",
                "expected a name of a-z, 0-9 and -, at most 64 letters, found \"A7\"", nil
            ),
            (
                "agents:\n  - {name: a, locator: pid:1}\n  - {name: a, locator: pid:2}", "3:5",
                "a second agent with the name \"a\", first at 2:5", "give each agent its own name"
            ),
            (
                "agents:\n  - {name: a, locator: agent:b}", "2:24",
                "expected a locator cgroup:/PATH, podman:NAME, runc:ID, lxc:NAME or pid:N, found \"agent:b\"", nil
            ),
            (
                "agents:\n  - {name: a, locator: pid:1, workspace: [work]}", "2:43",
                "expected an absolute path without .., found \"work\"", nil
            ),
            (
                "agents:\n  - {name: a, locator: pid:1, workspace: /w}", "2:42",
                "expected a list, one item a line after \"- \", found \"/w\"", nil
            ),
            (
                "agents:\n  - {name: a, locator: pid:1, uid: -1}", "2:36",
                "expected a whole number from 0 to 4294967294, found \"-1\"", nil
            ),
            (
                "agents:\n  - name: a\n    locator: pid:1\n    credentials:\n      - {id: r, provider: vault}", "5:27",
                "unknown provider \"vault\"", "write \"redis\""
            ),
            (
                "agents:\n  - name: a\n    locator: pid:1\n    credentials:\n"
                    + "      - {id: r, provider: redis, principal: p, server: localhost}", "5:56",
                "expected a server HOST:PORT such as \"127.0.0.1:6379\", found \"localhost\"", nil
            ),
        ]
    )
    func errors(text: String, position: String, reason: String, fix: String?) {
        let failure = #expect(throws: Failure.self) { try parse(text) }
        #expect(failure?.subject == "agents.yaml:\(position)")
        #expect(failure?.reason == reason)
        #expect(failure?.hint == fix)
    }

    private func parse(_ text: String) throws -> Inventory {
        try Inventory.parse(Array(text.utf8), named: BytePath("agents.yaml"))
    }
}
