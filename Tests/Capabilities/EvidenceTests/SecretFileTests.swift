import Base
import Bundles
import Glibc
import Kernel
import Programs
import Sealing
import Testing

@testable import Evidence

@Suite("Secrets in files of configuration")
struct SecretFileTests {
    private static let config = """
        {"mcpServers":{"github":{"command":"npx","args":["-y","server"],"env":{"GITHUB_TOKEN":"ghp_0123456789abcdef0123",
        "LEVEL":"debug","OTHER":"${GITHUB_TOKEN}"}}}}
        """

    private func names(_ text: String) -> [String] {
        SecretFiles.values(in: Array(text.utf8), SecretDigest()).found.map(\.name)
    }

    @Test("values are found by their names and shapes, in JSON and in lines, and references are none")
    func values() {
        #expect(names(Self.config) == ["mcpServers.github.env.GITHUB_TOKEN"])
        #expect(
            names("# TOKEN=abcdefgh\nexport API_KEY='abcdefgh'\nPATH=/usr/bin\nMODE=debug\nDB_PASS=$OTHER\n") == [
                "API_KEY"
            ]
        )
        #expect(
            names("//registry.npmjs.org/:_authToken=npm_abcdefghijklmnop\n") == ["_authToken"]
        )
        #expect(names("machine h login kim password hunter2hunter2\n") == ["line 1"])
        #expect(names("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n").count == 2)
        for text in ["", "{}", "hello\nworld\n", "{\"a\":1}"] { #expect(names(text) == [], "\(text)") }
        let many = (0..<300).map { "TOKEN_\($0)=abcdefgh\($0)\n" }.joined()
        let found = SecretFiles.values(in: Array(many.utf8), SecretDigest())
        #expect(found.found.count == SecretFiles.mostValues && found.more == 44)
    }

    @Test("padding is no mark, a password may begin with a dollar or a slash, and no name is told that may be a secret")
    func shapes() {
        #expect(
            names("  client-key-data: LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IY0NBUUVF==\n") == ["client-key-data"]
        )
        #expect(
            names("DB_PASSWORD=$up3r-secret!\nAWS_SECRET_ACCESS_KEY=/abcdefghij\n") == [
                "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY",
            ]
        )
        #expect(names("API_KEY=${HOME_KEY}\nTOKEN=$OTHER_TOKEN\n") == [])
        for text in [
            "https://kim:PASSWORD1@host/r?private_token=abcdefgh12\n", "kim:hunter2secret=abcdefgh:token=abcdefgh\n",
            "{\"ghp_0123456789abcdef0123\":{\"token\":\"abcdefgh\"}}",
        ] {
            let told = names(text)
            #expect(told.count == 1, "\(told)")
            for secret in ["PASSWORD1", "hunter2", "ghp_"] { #expect(!told.joined().contains(secret), "\(told)") }
        }
    }

    @Test("names of such files, and of others")
    func known() {
        for name in [".mcp.json", "a/b/.env", ".env.local", "server.key", ".aws/credentials"] {
            #expect(SecretFiles.mayHold(BytePath(name)), "\(name)")
        }
        for name in ["notes", "env", "main.swift", ".mcp.json/notes"] { #expect(!SecretFiles.mayHold(BytePath(name))) }
    }

    private func scene() throws -> Scene {
        let scene = try Scene()
        try scene.write(".mcp.json", Self.config)
        try scene.write(".env", "MODE=debug\n")
        try scene.write("notes", "work")
        return scene
    }

    @Test("a workspace file that holds a secret is told with handles, and that it is in plain; the plan said so")
    func plain() throws {
        let scene = try scene()
        let plan = CapturePlan(scene.request(), on: try Host())
        let planned = plan.entries.first { $0.item == "tree" }
        #expect(planned?.remark == "2 files such as .mcp.json and .env may hold secrets, and are taken in plain")
        let captured = try scene.capture()
        let item = try captured.item(".mcp.json")
        #expect(item["outcome"] == "collected" && item["member"] == "data/files/workspace.pax.zst")
        #expect(item["reason"]?.string?.hasSuffix("in plain") == true, "\(item)")
        #expect(try captured.item(".env")["reason"] == nil)
        let text = try captured.text(of: "data/credentials.jsonl")
        #expect(!text.contains("ghp_"))
        let line = try #require(try captured.lines(of: "data/credentials.jsonl").first)
        #expect(line["path"] == ".mcp.json" && line["plain"] == true && line["root"] == "workspace")
        #expect(line["values"]?.array?.first?["name"] == "mcpServers.github.env.GITHUB_TOKEN")
        #expect(line["values"]?.array?.first?["length"] == 24)
    }

    @Test("where there are recipients the file goes to them alone, and the archive has its name and size")
    func encrypted() throws {
        let scene = try scene()
        let made = try Program(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj",
                "/CN=kim", "-keyout", "kim.key", "-out", "kim.pem",
            ],
            directory: scene.folder
        ).run(within: .seconds(60))
        try #require(made.status == 0, "\(made.errorText)")
        let pem = try #require(Files.read(scene.folder + "/kim.pem"))
        try scene.write("a.key", "not a key")
        scene.python("os.link('a.key', 'b.key'); os.link('.env', '!first')")
        let kim = try Recipient(pem: pem, called: "kim")
        var request = scene.request()
        request.recipients = [kim]
        let planned = CapturePlan(request, on: try Host()).entries.first { $0.item == "tree" }
        #expect(planned?.remark?.hasSuffix("go to the recipients alone up to 1 MiB") == true)
        let captured = try scene.capture(request)
        let item = try captured.item(".mcp.json")
        #expect(
            item["outcome"] == "collected" && item["sha256"]?.string == SHA256.digest(of: Array(Self.config.utf8)).hex
        )
        #expect(item["member"]?.string?.hasPrefix("secrets/secrets/file-") == true, "\(item)")
        #expect(try captured.item("notes")["member"] == "data/files/workspace.pax.zst")
        // Whatever was found in it, and whatever else it is called.
        let plain = try captured.item(".env")
        #expect(plain["member"]?.string?.hasPrefix("secrets/secrets/file-") == true, "\(plain)")
        for name in ["a.key", "b.key", "!first", ".env"] {
            let link = try captured.item(name)
            #expect(link["outcome"] == "collected", "\(link)")
            #expect(link["member"]?.string?.hasPrefix("secrets/secrets/file-") == true, "\(link)")
        }
        #expect(try captured.item("a.key")["member"] == captured.item("b.key")["member"])
        let archive = try captured.text(of: "data/files/workspace.mtree")
        #expect(!archive.contains(SHA256.digest(of: Array("not a key".utf8)).hex))
        let listed = try captured.text(of: "data/files/workspace.mtree").split(separator: "\n")
        let line = listed.first { $0.hasPrefix("./.mcp.json ") }
        #expect(line?.contains("size=\(Self.config.utf8.count)") == true && line?.contains("sha256") == false)
        let opener = try Opener(kim, keyFile: BytePath(scene.folder + "/kim.key"))
        let member = item["member"]?.string ?? ""
        let streams = try captured.bundle.secretStreams()
        let stream = try #require(streams.first { member.hasPrefix($0) }, "\(streams)")
        let target = BytePath(scene.folder + "/opened")
        #expect(try captured.bundle.decrypt(stream, with: opener, to: target) == UInt64(Self.config.utf8.count))
        #expect(Files.text(scene.folder + "/opened") == Self.config)
    }
}
