import Base
import Programs

/// The rooms and arrows of one source of truth: the drawing in docs/design/house.md, or the package as it is.
struct House: Equatable {
    struct Room: Equatable {
        /// -1 for the C modules.
        let rank: Int
        let floor: String
        let uses: Set<String>
    }

    var rooms: [String: Room]

    /// Pairs of the same rank that the house allows.
    static let allowedWithinRank: Set<[String]> = [["Engine", "Casework"], ["HTTP", "Sealing"]]

    /// Reads the table of the drawing.
    static func drawn(_ text: String) -> House {
        var rooms: [String: Room] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.split(separator: " ").joined(separator: " ") }
            guard cells.count >= 6, cells[1] == "C" || Int(cells[1]) != nil else { continue }
            rooms[cells[2]] = Room(
                rank: Int(cells[1]) ?? -1,
                floor: cells[3],
                uses: Set(cells[4].split(separator: " ").map(String.init))
            )
        }
        return House(rooms: rooms)
    }

    /// Reads `swift package dump-package`; ranks are taken from the drawing, -2 when it has none.
    static func built(_ dump: JSONValue, ranks: House) -> House {
        var rooms: [String: Room] = [:]
        for target in dump["targets"]?.array ?? [] {
            guard let name = target["name"]?.string, let path = target["path"]?.string else { continue }
            let parts = path.split(separator: "/")
            guard parts.count == 3, parts[0] == "Sources" else { continue }
            let uses = (target["dependencies"]?.array ?? []).compactMap { dependency in
                (dependency["byName"] ?? dependency["product"] ?? dependency["target"])?.array?.first?.string
            }
            rooms[name] = Room(rank: ranks.rooms[name]?.rank ?? -2, floor: String(parts[1]), uses: Set(uses))
        }
        return House(rooms: rooms)
    }

    /// What differs between the drawing and the package, as sentences; empty when they agree.
    func differences(from drawing: House) -> [String] {
        var result: [String] = []
        for name in Set(rooms.keys).union(drawing.rooms.keys).sorted() {
            guard let drawn = drawing.rooms[name] else {
                result.append("\(name) is not drawn in docs/design/house.md")
                continue
            }
            guard let built = rooms[name] else {
                result.append("\(name) is drawn but not built")
                continue
            }
            if built.floor != drawn.floor { result.append("\(name) stands in \(built.floor), drawn in \(drawn.floor)") }
            for use in built.uses.subtracting(drawn.uses).sorted() { result.append("\(name) -> \(use) is not drawn") }
            for use in drawn.uses.subtracting(built.uses).sorted() { result.append("\(name) -> \(use) does not exist") }
        }
        return result
    }

    /// The arrows that go up or sideways without leave.
    var risingArrows: [String] {
        rooms.sorted { $0.key < $1.key }.flatMap { name, room in
            room.uses.sorted().compactMap { use in
                guard let used = rooms[use] else { return nil }
                if used.rank < room.rank { return nil }
                if used.rank == room.rank, House.allowedWithinRank.contains([name, use]) { return nil }
                return "\(name) (\(room.rank)) -> \(use) (\(used.rank))"
            }
        }
    }
}
