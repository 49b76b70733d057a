import Base
import Kernel

/// What fdinfo tells of an io_uring: files and buffers that are registered with it and need no descriptor any more.
/// Source: io_uring/fdinfo.c of Linux.
struct RingFacts: Hashable, Sendable {
    /// By their slot: the path as the kernel prints it.
    private(set) var files: [BytePath] = []
    /// By their slot: address and length.
    private(set) var buffers: [String] = []
    /// How many of each the kernel counts.
    private(set) var fileCount: UInt64 = 0
    private(set) var bufferCount: UInt64 = 0
    /// Whether the kernel counts files that it does not list, as it does while somebody works with the ring.
    var lacksFiles: Bool { UInt64(files.count) < fileCount }

    /// Takes the lines of fdinfo.
    init(_ details: [String]) {
        var section = ""
        for line in details {
            if line.hasPrefix("UserFiles:") || line.hasPrefix("UserBufs:") {
                section = String(line.prefix { $0 != ":" })
                let digits = line.dropFirst(section.count + 1).filter { $0 >= "0" && $0 <= "9" }
                if section == "UserFiles" { fileCount = UInt64(digits) ?? 0 } else { bufferCount = UInt64(digits) ?? 0 }
            } else if line.hasPrefix(" "), let colon = line.firstIndex(of: ":"),
                UInt64(line[..<colon].filter { $0 != " " }) != nil
            {
                let text = String(line[line.index(after: colon)...].drop { $0 == " " })
                if section == "UserFiles" { files.append(RingFacts.unescaped(text)) }
                if section == "UserBufs" { buffers.append(text) }
            } else {
                section = ""
            }
        }
    }

    /// Undoes `\040` and its like, by which the kernel writes spaces, line feeds and backslashes of a path.
    private static func unescaped(_ text: String) -> BytePath {
        var rest = Array(text.utf8)[...]
        var path: [UInt8] = []
        while let byte = rest.first {
            let digits = rest.dropFirst().prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                path.append(value)
                rest = rest.dropFirst(4)
            } else {
                path.append(byte)
                rest = rest.dropFirst()
            }
        }
        return BytePath(path)
    }
}

/// The rings of the session.
struct ParkedRings {
    private let parked: ParkedItem

    init(_ parked: ParkedItem) { self.parked = parked }

    func collect() throws(Failure) -> CollectionItem {
        var item = ParkedKind.rings.item
        let recovered = Set(parked.processes.deletedFiles.map(\.target))
        for ring in parked.processes.parking.specials where ring.kind == "io_uring" {
            let facts = RingFacts(ring.information.details)
            var line = ring.line
            line["registeredFiles"] = .array(facts.files.map(\.json))
            line["registeredBuffers"] = .array(facts.buffers.map(JSONValue.string))
            line["registeredFileCount"] = .integer(Int64(clamping: facts.fileCount))
            line["registeredBufferCount"] = .integer(Int64(clamping: facts.bufferCount))
            try parked.tell(.rings, line)
            let lost = facts.files.filter {
                $0.bytes.suffix(10).elementsEqual(" (deleted)".utf8) && !recovered.contains($0)
            }
            if let first = lost.first {
                item = item.partial("\(lost.count) registered files have no name and no descriptor, such as \(first)")
            } else if facts.lacksFiles || ring.information.detailsLeftOut > 0 {
                item = item.partial("a ring has more registered files than are listed")
            }
        }
        let more = parked.processes.parking.specialsLeftOut
        if more > 0 { item = item.partial("\(more) descriptors are not looked at, which may be rings") }
        return item
    }
}
