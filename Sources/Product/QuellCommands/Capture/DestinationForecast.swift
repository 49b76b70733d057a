import Base
import Bundles
import Response

/// What is known beforehand of the place where a capture would go. Another host is not asked.
struct DestinationForecast: Hashable {
    /// The place, in words.
    let place: String
    /// Bytes that are free there; `nil` when it is another host, a pipe, or does not say.
    let room: UInt64?
    /// Whether the capture would count for a kill as long as it lies there.
    let counts: Bool

    /// Takes all three.
    init(place: String, room: UInt64?, counts: Bool) {
        self.place = place
        self.room = room
        self.counts = counts
    }

    /// The place of `--to`, or the case in the store.
    init(_ destination: CaptureDestination?, store: BytePath) {
        guard let destination else {
            self.init(place: "its case in \(store)", room: FreeRoom.of(folder: store), counts: true)
            return
        }
        self.init(
            place: destination.words("CASE-N"),
            room: destination.room,
            counts: destination.isReadable
        )
    }

    /// For people; `bytes` is what the capture would read.
    func lines(for bytes: UInt64) -> [String] {
        var words = "goes to      \(place)"
        if let room { words += ", \(Words.bytes(room)) free" }
        if !counts { words += "; not read back from here, so it counts for no kill" }
        guard let room, bytes > room else { return [words] }
        return [words, "             may not fit before it is compressed: what fits is sealed as partial"]
    }

    /// For programs.
    var document: JSONValue {
        [
            "place": .string(place),
            "freeBytes": room.map { .string(String($0)) } ?? .null,
            "countsForKill": .bool(counts),
        ]
    }
}
