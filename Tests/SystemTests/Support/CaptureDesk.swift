import Base
import Glibc
import Programs
import Testing

/// A store in a folder of its own, and the built binary to capture with.
struct CaptureDesk {
    let sandbox: Sandbox
    let folder: String
    private let binary: String

    /// Makes the store and gives it to `body`; both are gone after that.
    static func with(_ body: (CaptureDesk) throws -> Void) throws {
        let desk = try CaptureDesk()
        defer { _ = Files.removeTree(desk.folder) }
        #expect(try desk.quell("init").status == 0)
        try body(desk)
    }

    private init() throws {
        sandbox = try Sandbox.of()
        // Not below /tmp: a store there would be refused, everybody may write it.
        folder = try #require(Files.makeTemporaryFolder("/var/lib/\(sandbox.name)-XXXXXX"))
        binary = try Sandbox.testkitPath().split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        #expect(mkdir("\(folder)/store", 0o700) == 0)
    }

    func quell(_ words: String..., within limit: Duration = .seconds(60)) throws -> Program.Result {
        try quell(words, within: limit)
    }

    private func quell(_ words: [String], within limit: Duration = .seconds(60)) throws -> Program.Result {
        let environment = [
            "PATH": "\(binary):/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder, "QUELL_STORE": "\(folder)/store",
            "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
        ]
        return try Program("\(binary)/quell", words, environment: environment, directory: folder).run(within: limit)
    }

    /// Captures, and gives the account with the lines of one more member.
    func capture(
        _ locator: String,
        _ options: String...,
        and member: String? = nil
    ) throws -> (account: [JSONValue], member: [JSONValue]) {
        let captured = try quell(["capture", locator] + options)
        #expect([0, 3].contains(captured.status), "\(captured.text) \(captured.errorText)")
        let cases = try #require(Files.names(in: "\(folder)/store/cases"))
        let bundles = cases.map { "\(folder)/store/cases/\($0)/bundles" }.flatMap { shelf in
            (Files.names(in: shelf) ?? []).map { "\(shelf)/\($0)" }.filter(Files.isFolder)
        }
        let bundle = try #require(bundles.first)
        #expect(bundles.count == 1, "\(bundles)")
        return (try lines("\(bundle)/data/collection.jsonl"), try member.map { try lines("\(bundle)/\($0)") } ?? [])
    }

    private func lines(_ path: String) throws -> [JSONValue] {
        try #require(Files.read(path)).split(separator: UInt8(ascii: "\n")).map { try JSONReader.read(Array($0)) }
    }
}

extension [JSONValue] {
    /// The items of a capture that are about an object of that path.
    func about(_ path: String) -> [JSONValue] { filter { $0["path"]?.string == path } }

    /// The outcome of the root that lies there.
    func outcome(ofTree path: String) -> String? {
        about(path).first { $0["item"]?.string == "tree" }?["outcome"]?.string
    }
}
