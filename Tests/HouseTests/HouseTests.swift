import Base
import Programs
import Testing

@Suite("the house")
struct HouseTests {
    /// The manifest as SwiftPM reads it; its own scratch folder, because the tests' one is locked while they run.
    private static func dump() throws -> JSONValue {
        let swift = try #require(Program.find("swift"))
        let scratch = try #require(Files.makeTemporaryFolder("/tmp/quell-house-XXXXXX"))
        defer { Files.removeTree(scratch) }
        let result = try Program(
            swift,
            ["package", "--package-path", Repository.root, "--scratch-path", scratch, "dump-package"]
        ).run(within: .seconds(120))
        try #require(result.status == 0, "\(result.errorText)")
        return try JSONReader.read(result.output)
    }

    private static func drawing() throws -> House {
        House.drawn(try #require(Files.text("\(Repository.root)/docs/design/house.md")))
    }

    @Test("every arrow of the package is drawn, and every drawn arrow exists")
    func drawn() throws {
        let drawing = try HouseTests.drawing()
        #expect(drawing.rooms.count > 15)
        #expect(House.built(try HouseTests.dump(), ranks: drawing).differences(from: drawing) == [])
    }

    @Test("no arrow rises in rank")
    func falling() throws {
        let drawing = try HouseTests.drawing()
        #expect(drawing.risingArrows == [])
        #expect(drawing.rooms.values.reduce(0) { $0 + $1.uses.count } > 40)
    }

    @Test("each C module has exactly one Swift room that may import it")
    func oneImporter() throws {
        let drawing = try HouseTests.drawing()
        for module in drawing.rooms.filter({ $0.value.rank == -1 }).keys {
            let owners = drawing.rooms.filter { $0.value.uses.contains(module) }.keys
            #expect(owners.count == 1, "\(module) is used by \(owners.sorted())")
        }
    }

    @Test("a source imports only what its room draws")
    func imports() throws {
        let drawing = try HouseTests.drawing()
        let toolchain: Set<String> = ["Glibc", "Synchronization", "Swift"]
        for source in Repository.sources(in: "Sources") {
            guard let room = source.room, let drawn = drawing.rooms[room] else { continue }
            let foreign = Set(source.imports).subtracting(drawn.uses).subtracting(toolchain)
            #expect(foreign.isEmpty, "\(source.path) imports \(foreign.sorted()), which \(room) does not draw")
        }
    }

    @Test("the house test sees an arrow too many, one too few, one that rises and a room that nobody drew")
    func canFail() {
        let drawing = House.drawn(
            "| 1 | A | Ground | B |\n| 2 | B | Core | |\n| C | L | Boundary | |\n| 2 | E | Core | B |"
        )
        #expect(drawing.rooms["A"] == House.Room(rank: 1, floor: "Ground", uses: ["B"]))
        #expect(drawing.risingArrows == ["A (1) -> B (2)", "E (2) -> B (2)"])
        let dump: JSONValue = [
            "targets": [
                ["name": "A", "path": "Sources/Ground/A", "dependencies": [["byName": ["L", nil]]]],
                ["name": "X", "path": "Sources/Core/X", "dependencies": []],
                ["name": "L", "path": "Sources/Boundary/L", "dependencies": []],
                ["name": "B", "path": "Sources/Ground/B", "dependencies": []],
            ]
        ]
        #expect(
            House.built(dump, ranks: drawing).differences(from: drawing) == [
                "A -> L is not drawn", "A -> B does not exist", "B stands in Ground, drawn in Core",
                "E is drawn but not built", "X is not drawn in docs/design/house.md",
            ]
        )
    }
}
