import Base
import Glibc
import Kernel
import Testing

@testable import Sessions

@Suite("What a runtime keeps of a container")
struct ContainerFilesTests {
    private let id = String(repeating: "ab", count: 32)
    private let layer = String(repeating: "cd", count: 32)
    private let base = String(repeating: "ef", count: 32)
    private let image = String(repeating: "12", count: 32)
    private let storage = "var/lib/containers/storage"

    /// podman's storage with one container on an image of one layer, and another container beside it.
    private func podman(lower: String = "l/BASE", link: String? = nil) throws -> RecordedMachine {
        let machine = try RecordedMachine()
        let other = String(repeating: "99", count: 32)
        try machine.file(
            "\(storage)/overlay-containers/containers.json",
            """
            [{"id":"\(other)","names":["other"]},
            {"id":"\(id)","names":["web"],"layer":"\(layer)","image":"\(image)"}]
            """
        )
        try machine.file("\(storage)/overlay-containers/\(id)/userdata/config.json", "{\"ociVersion\":\"1.0.2\"}")
        try machine.file(
            "\(storage)/overlay-layers/layers.json",
            "[{\"id\":\"\(base)\",\"diff-digest\":\"sha256:1\"},{\"id\":\"\(layer)\",\"parent\":\"\(base)\"}]"
        )
        try machine.file("\(storage)/overlay-images/images.json", "[{\"id\":\"\(image)\",\"digest\":\"sha256:2\"}]")
        try machine.file("\(storage)/overlay/\(layer)/lower", lower)
        try machine.file("\(storage)/overlay/\(layer)/diff/file", "x")
        try machine.file("\(storage)/overlay/\(base)/diff/file", "y")
        try machine.file("\(storage)/overlay/l/readme", "")
        #expect(symlink(link ?? "../\(base)/diff", "\(machine.root)/\(storage)/overlay/l/BASE") == 0)
        return machine
    }

    private func files(_ machine: RecordedMachine) throws -> ContainerFiles {
        let found = ContainerFiles.of(try Locator(parsing: "podman:\(id)"), root: BytePath(machine.root))
        return try #require(found)
    }

    @Test("podman's files name the layers of a container, and the rows that are about it and about no other")
    func found() throws {
        let machine = try podman()
        let files = try files(machine)
        let top = "\(machine.root)/\(storage)"
        #expect(files.upper == BytePath("\(top)/overlay/\(layer)/diff") && files.failures == [])
        #expect(files.lowers == [BytePath("\(top)/overlay/\(base)/diff")])
        #expect(files.records.map(\.name) == ["container", "config", "image", "layers"])
        #expect(files.records.first?.value["names"] == ["web"])
        #expect(files.records.last?.value.array?.compactMap { $0["id"]?.string } == [layer, base])
        #expect(files.logs.map(\.prefix) == ["ctr.log"])
        #expect(ContainerFiles.of(try Locator(parsing: "podman:agents/\(id)"), root: BytePath(machine.root)) == nil)
    }

    @Test("RT10 a layer below a folder that others can write is not named")
    func writable() throws {
        let machine = try podman()
        #expect(chmod("\(machine.root)/\(storage)/overlay/\(layer)", 0o777) == 0)
        let files = try files(machine)
        #expect(files.upper == nil && files.lowers == [])
        #expect(files.failures.map(\.code) == [.refused])
    }

    @Test(
        "RT10 a lower layer that is no link of the storage's own to a layer of its own is not followed",
        arguments: [
            ("/etc", nil), ("l/../../../etc", nil), ("l/..", nil), ("l/BASE", "/etc"), ("l/BASE", "../../etc/diff"),
            ("l/BASE:/etc", nil),
        ]
    )
    func lowers(lower: String, link: String?) throws {
        let machine = try podman(lower: lower, link: link)
        let files = try files(machine)
        #expect(files.lowers == [])
        #expect(files.failures.map(\.code) == [.malformed])
    }

    @Test("tables that cannot be read make nobody say that podman has no such container")
    func unreadable() throws {
        let machine = try podman()
        try machine.write("\(storage)/overlay-containers/containers.json", "[{")
        let files = try files(machine)
        #expect(!files.isAttributed && files.failures.map(\.code) == [.malformed])
    }
}
