import Base
import Documents
import Engine
import Glibc
import Playbooks
import Sealing
import Testing

@Suite("policy.yaml and trust.yaml")
struct AuthorityTests {
    private static let file = BytePath("/etc/quell/x.yaml")
    private static let actions = TestCatalogue.actions
    static let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICSgG586PQCzvWfC+00aSvWcLse/UTtM3c8fkXNAs1xf"
    static let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKQiqkOEnxFL4obq+S/Z2kCGbpvnUtCJwC4jCAS5afoq"

    private func policy(_ text: String) throws -> Policy {
        try PolicyDocument.parse(Array(text.utf8), named: Self.file, actions: Self.actions)
    }

    private func trust(_ text: String) throws -> TrustList {
        try TrustDocument.parse(Array(text.utf8), named: Self.file)
    }

    @Test("a policy is read with its defaults")
    func policyIsRead() throws {
        let rules = try policy(
            """
            approvals:
              - { actions: [revoke], approvers: 1, role: lead }
              - natures: [alters, destroys]
                approvers: 2
                role: legal
                within: 30m
                requester: may-approve
            """
        ).rules
        #expect(rules.map(\.within) == [.seconds(3600), .seconds(1800)])
        #expect(rules.map(\.need) == [ApprovalNeed(1, of: "lead"), ApprovalNeed(2, of: "legal", mayBeRequester: true)])
        #expect(rules.map(\.actions) == [["revoke"], []])
        #expect(rules.map(\.natures) == [[], [.alters, .destroys]])
    }

    @Test(
        "a policy that is wrong is refused with its place and what to write",
        arguments: [
            ("approvals:\n  - { actions: [freeze], approvers: 1, role: lead }", "2:17", "contains, and what contains"),
            ("approvals:\n  - { natures: [contains], approvers: 1, role: a }", "2:17", "what contains never waits"),
            ("approvals:\n  - { actions: [revok], approvers: 1, role: lead }", "2:17", "no action \"revok\""),
            ("approvals:\n  - { natures: [destroy], approvers: 1, role: a }", "2:17", "no nature \"destroy\""),
            ("approvals:\n  - { approvers: 1, role: lead }", "2:5", "binds nothing"),
            ("approvals:\n  - { actions: [revoke], approvers: 0, role: lead }", "2:37", "from 1 to 16"),
            ("approvals:\n  - { actions: [revoke], approvers: 1, role: Lead! }", "2:46", "a name of a-z"),
            ("approvals:\n  - { actions: [revoke], approvers: 1 }", "2:5", "\"role\" is missing"),
            ("approvals:\n  - { actions: [revoke], aprovers: 1, role: a }", "2:26", "unknown key \"aprovers\""),
            ("approvals:\n  - { actions: [revoke], approvers: 1, role: a, within: 0s }", "2:57", "above zero"),
            ("approvals:\n  - { actions: [revoke], approvers: 1, role: a, requester: yes }", "2:60", "may-approve"),
            ("rules: []", "1:1", "unknown key \"rules\""), ("approvals: 3", "1:12", "a list"), ("", "1:1", "empty"),
        ]
    )
    func policyIsWrong(text: String, place: String, reason: String) {
        let failure = #expect(throws: Failure.self) { _ = try policy(text) }
        #expect(failure?.code == .malformed)
        #expect(failure?.subject == "/etc/quell/x.yaml:\(place)")
        #expect(failure?.reason.contains(reason) == true, "\(failure?.reason ?? "")")
    }

    @Test("the nearest word is proposed, and never one that contains")
    func nearestWord() {
        let text = "approvals:\n  - { actions: [freez], approvers: 1, role: lead }"
        let failure = #expect(throws: Failure.self) { _ = try policy(text) }
        #expect(failure?.hint?.contains("freeze") == false)
        let near = #expect(throws: Failure.self) {
            _ = try policy("approvals:\n  - { actions: [revok], approvers: 1, role: lead }")
        }
        #expect(near?.hint == "write \"revoke\"")
    }

    @Test("a trust file is read: persons, roles, logins, times, keys with times of their own")
    func trustIsRead() throws {
        let list = try trust(
            """
            persons:
              - name: ada
                roles: [lead, legal]
                logins: [a.lovelace, uid 1000]
                from: 2026-01-01
                to: 2027-01-01T12:00:00Z
                keys:
                  - \(Self.key) ada@desk
                  - { key: "\(Self.other)", to: 2026-06-01 }
            """
        )
        let ada = try #require(list.persons.first)
        #expect(ada.roles == ["lead", "legal"])
        #expect(ada.isKnown(as: "uid 1000") && ada.isKnown(as: "ada") && !ada.isKnown(as: "lead"))
        func names(_ time: String) throws -> [Int] {
            list.standing(at: try #require(Instant(rfc3339: time))).persons.map(\.keys.count)
        }
        #expect(try names("2025-12-31T23:59:59Z") == [])
        #expect(try names("2026-01-01T00:00:00Z") == [2])
        #expect(try names("2026-06-01T00:00:00Z") == [1])
        #expect(try names("2027-01-01T12:00:00Z") == [])
        #expect(list.owner(of: try SSHPublicKey(line: Self.other))?.name == "ada")
    }

    @Test(
        "a trust file that is wrong is refused with its place",
        arguments: [
            ("persons:\n  - { name: ada, keys: [] }", "2:24", "at least one key"),
            ("persons:\n  - { name: 'a b', keys: ['\(key)'] }", "2:13", "a name of letters"),
            ("persons:\n  - { keys: ['\(key)'] }", "2:5", "\"name\" is missing"),
            ("persons:\n  - { name: ada, keys: ['ssh-ed25519 AAAA'] }", "2:25", "no SSH public key"),
            ("persons:\n  - { name: ada, rols: [a], keys: ['\(key)'] }", "2:18", "unknown key \"rols\""),
            ("persons:\n  - { name: ada, to: tomorrow, keys: ['\(key)'] }", "2:22", "a day such as"),
            ("persons:\n  - { name: ada, from: 2026-02-02, to: 2026-02-02, keys: ['\(key)'] }", "2:40", "not after"),
            ("persons:\n  - { name: ada, keys: ['\(key)', '\(key) b'] }", "2:5", "one key twice"),
            ("persons:\n  - { name: a, keys: ['\(key)'] }\n  - { name: b, keys: ['\(key)'] }", "3:5", "is a's already"),
            ("persons:\n  - { name: a, keys: ['\(key)'] }\n  - { name: a, keys: ['\(other)'] }", "3:5", "is a already"),
            (
                "persons:\n  - { name: a, logins: [b], keys: ['\(key)'] }\n  - { name: b, keys: ['\(other)'] }", "3:5",
                "\"b\" is a already"
            ),
        ]
    )
    func trustIsWrong(text: String, place: String, reason: String) {
        let failure = #expect(throws: Failure.self) { _ = try trust(text) }
        #expect(failure?.subject == "/etc/quell/x.yaml:\(place)")
        #expect(failure?.reason.contains(reason) == true, "\(failure?.reason ?? "")")
    }

    @Test("RT21 the first folder with a policy rules, over its own trust file or an earlier one, if only we can write")
    func folders() throws {
        try withFolders { first, second in
            let files = AuthorityFiles(folders: [first, second])
            #expect(try files.read(actions: Self.actions).policy.rules.isEmpty)
            try write("approvals: []", second.appending("policy.yaml"))
            try write("persons:\n  - { name: ada, keys: ['\(Self.key)'] }", second.appending("trust.yaml"))
            #expect(try files.read(actions: Self.actions).trust.persons.map(\.name) == ["ada"])
            try write("persons:\n  - { name: bob, keys: ['\(Self.key)'] }", first.appending("trust.yaml"))
            #expect(try files.read(actions: Self.actions).trust.persons.map(\.name) == ["bob"])
            let rule = "approvals:\n  - { natures: [alters], approvers: 1, role: lead }"
            try write(rule, first.appending("policy.yaml"))
            #expect(try files.read(actions: Self.actions).policy.rules.count == 1)
            _ = first.appending("trust.yaml").withCString { unlink($0) }
            #expect(try files.read(actions: Self.actions).trust.persons.isEmpty)
            _ = first.appending("policy.yaml").withCString { chmod($0, 0o666) }
            let failure = #expect(throws: Failure.self) { _ = try files.read(actions: Self.actions) }
            #expect(failure?.code == .refused)
        }
    }

    private func write(_ text: String, _ path: BytePath) throws {
        let file = path.withCString { open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o600) }
        try #require(file >= 0)
        defer { close(file) }
        let bytes = Array(text.utf8)
        try #require(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    private func withFolders(_ body: (BytePath, BytePath) throws -> Void) throws {
        var folders: [BytePath] = []
        defer {
            for folder in folders {
                for name in ["policy.yaml", "trust.yaml"] { _ = folder.appending(name).withCString { unlink($0) } }
                _ = folder.withCString { rmdir($0) }
            }
        }
        for _ in 0..<2 {
            var template = Array("/tmp/quell-authority-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            folders.append(BytePath(template.map { UInt8(bitPattern: $0) }))
        }
        try body(folders[0], folders[1])
    }
}
