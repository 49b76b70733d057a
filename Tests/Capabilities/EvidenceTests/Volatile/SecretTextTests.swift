import Base
import Testing

@testable import Evidence

@Suite("Secrets in texts")
struct SecretTextTests {
    private let id = String(repeating: "0123456789abcdef", count: 4)

    private func told(_ arguments: [String]) -> [String] {
        var rule = SecretText(SecretDigest())
        return rule.redact(arguments.map { BytePath($0) }).map { "\($0)" }
    }

    @Test(
        "a secret among arguments is withheld, and what stands around it is told",
        arguments: [
            (["curl", "--password", "hunter2"], "hunter2"), (["x", "--api-key=hunter2"], "hunter2"),
            (["mysql", "-u", "root", "PGPASSWORD=hunter2"], "hunter2"),
            (["sh", "-c", "curl -H 'Authorization: Bearer hunter2' https://example.org/a"], "hunter2"),
            (["sh", "-c", "echo ghp_0123456789abcdefghij | cat"], "ghp_0123456789abcdefghij"),
            (["psql", "postgres://app:hunter2@db/prod"], "hunter2"),
            (["x", #"{"password": "hunter2", "n": 1}"#], "hunter2"),
        ]
    )
    func withheld(arguments: [String], secret: String) {
        let told = told(arguments)
        #expect(!told.joined().contains(secret) && told.joined().contains("<secret, "), "\(told)")
        #expect(told.count == arguments.count && told[0] == arguments[0])
    }

    @Test("paths, ids, digests and plain words are told as they are")
    func plain() {
        let arguments = [
            "/usr/bin/python3", "/tmp/quell-test-123456-1-AbCdEf/run.py", "--config=/etc/token/file", "--id", id,
            "sha256:\(id)", "sh", "-c", "echo the token is valid; ls /srv/agents", "--verbose",
            "https://example.org/x?y=1",
        ]
        #expect(told(arguments) == arguments)
    }

    @Test("what runtimes write down keeps no secret: variables, arguments, labels, hooks, health checks, headers")
    func documents() throws {
        var rule = SecretText(SecretDigest())
        let document: JSONValue = [
            "process": ["env": ["PATH=/bin", "API_KEY=hunter2", "N=1"], "args": ["x", "--token", "hunter2"]],
            "annotations": ["com.example/password": "hunter2", "io.x/name": "web"],
            "hooks": ["prestart": [["path": "/bin/x", "args": ["x", "--secret=hunter2"], "env": ["TOKEN=hunter2"]]]],
            "Config": [
                "Labels": ["db": "postgres://u:hunter2@h/x"],
                "Healthcheck": ["Test": ["CMD-SHELL", "redis-cli --pass hunter2 ping"]],
            ],
            "mcpServers": ["one": ["headers": ["Authorization": "Bearer hunter2"], "url": "https://example.org/"]],
            "id": .string(id), "image": .string("sha256:\(id)"), "size": 7,
        ]
        let told = rule.redact(document)
        let text = CanonicalJSON.text(of: told)
        #expect(!text.contains("hunter2") && rule.count == 8, "\(text)")
        #expect(told["id"]?.string == id && told["image"]?.string == "sha256:\(id)" && told["size"] == 7)
        #expect(told["process"]?["env"]?.array?.first == "PATH=/bin" && told["annotations"]?["io.x/name"] == "web")
    }

    @Test("equal secrets of arguments and of variables have equal digests")
    func digests() throws {
        let digest = SecretDigest()
        var rule = SecretText(digest)
        let told = rule.redact([BytePath("--token=hunter2")])
        let variable = try #require(ToldVariable(BytePath("TOKEN=hunter2"), number: 0, digest))
        #expect("\(told[0])".contains("keyed:\(try #require(variable.digest))"))
    }
}
