import Base
import Testing

@testable import Evidence

@Suite("Secrets in environments")
struct SecretShapeTests {
    @Test(
        "what looks like a secret, by name or by shape, is withheld",
        arguments: [
            "OPENAI_API_KEY=x", "GITHUB_TOKEN=x", "PGPASSWORD=x", "MYSQL_PWD=x", "AWS_SECRET_ACCESS_KEY=x",
            "npm_config__authtoken=x",
            "X=sk-proj-1234", "X=ghp_abcdefabcdefabcdef", "X=AKIAIOSFODNN7EXAMPLE", "X=eyJhbGciOiJIUzI1NiJ9.e30.x",
            "URL=postgres://app:hunter2@db/prod", "URL=https://oauth2@example.org/x", "OPTS=--password=abc",
            "X=3fd9a0c1b2e84756a1d0f9e8c7b6a594", "X=-----BEGIN OPENSSH PRIVATE KEY-----",
            "CONF={\"private_key\": 1}", "X=Tk9UIEEgU0VDUkVUIDEyMzQ1Njc4",
        ]
    )
    func withheld(_ entry: String) throws {
        let told = try #require(ToldVariable(BytePath(entry), number: 3, SecretDigest()))
        #expect(told.value == nil && told.digest?.count == 16)
        #expect(told.length == entry.utf8.count - entry.utf8.prefix { $0 != UInt8(ascii: "=") }.count - 1)
    }

    @Test(
        "what an investigator needs and is no secret is told",
        arguments: [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/bin", "PWD=/work/agent", "LANG=C.UTF-8",
            "LD_PRELOAD=/tmp/x/evil.so",
            "SSH_AUTH_SOCK=/tmp/ssh-1/agent.2", "HTTPS_PROXY=http://proxy:3128/",
            "CLAUDE_SESSION=0b1e7c9a-52f2-4f08-9c1e-5d2f1f2a3b4c",
            "HOME=/root", "EMPTY=", "SHLVL=2",
        ]
    )
    func told(_ entry: String) throws {
        let told = try #require(ToldVariable(BytePath(entry), number: 0, SecretDigest()))
        #expect(told.value == BytePath(String(entry.drop { $0 != "=" }.dropFirst())) && told.digest == nil)
    }

    @Test("a handle names process and variable, never a name that is itself a secret or no name")
    func handles() throws {
        let digest = SecretDigest()
        func handle(_ entry: String) throws -> String {
            try #require(ToldVariable(BytePath(entry), number: 7, digest)).handle(of: 12)
        }
        #expect(try handle("API_KEY=1") == "env:12:API_KEY")
        #expect(try handle("A KEY;rm -rf=1") == "env:12:#7")
        #expect(try handle("ghp_0123456789abcdefghij=x") == "env:12:#7")
        let hidden = try #require(ToldVariable(BytePath("ghp_0123456789abcdefghij=x"), number: 7, digest))
        #expect(hidden.json(of: 12)["name"] == nil)
        #expect(ToldVariable(BytePath("a secret without a name"), number: 0, digest) == nil)
    }

    @Test("equal secrets have equal digests in one capture and others in the next")
    func digests() {
        let one = SecretDigest()
        #expect(one.of([1, 2, 3]) == one.of([1, 2, 3]) && one.of([1, 2, 3]) != one.of([1, 2, 4]))
        #expect(one.of([1, 2, 3]) != SecretDigest().of([1, 2, 3]))
    }
}
