import Base
import Bundles

/// What one archived root holds, counted from its mtree.
public struct RootTally: Hashable, Sendable {
    /// The root.
    public let name: String
    /// Objects by their mtree type: `file`, `dir`, `link`, `fifo`, `socket`, `block`, `char`.
    public private(set) var kinds: [String: Int] = [:]
    /// Bytes of regular files as their headers say, each name counted.
    public private(set) var bytes: UInt64 = 0
    /// Objects of which only the metadata is recorded.
    public private(set) var withoutContent = 0
    /// Bytes of the volumes, compressed.
    public let compressed: UInt64

    /// All objects.
    public var objects: Int { kinds.values.reduce(0, +) }

    init(_ root: String, of bundle: VerifiedBundle) throws(Failure) {
        name = root
        compressed = bundle.payload.reduce(UInt64(0)) { sum, file in
            sum + (file.name.text.hasPrefix("data/files/\(root).pax.zst.") ? file.size : 0)
        }
        var kinds: [String: Int] = [:]
        var (bytes, withoutContent) = (UInt64(0), 0)
        try bundle.lines(of: try PayloadName("data/files/\(root).mtree")) { line throws(Failure) in
            guard let line = MtreeWords(line) else { return }
            kinds[line.word("type").map(String.init) ?? "unknown", default: 0] += 1
            let size = line.word("type") == "file" ? line.word("size").flatMap { UInt64($0) } ?? 0 : 0
            bytes = bytes.addingReportingOverflow(size).partialValue
            if line.isOptional { withoutContent += 1 }
        }
        self.kinds = kinds
        self.bytes = bytes
        self.withoutContent = withoutContent
    }
}

/// The words of one line of an mtree that Quell wrote: the path with its octal escapes, then `key=value`.
struct MtreeWords {
    /// As it stands there, without a byte that a terminal would take for anything.
    let path: String
    let isOptional: Bool
    private let words: [Substring]

    /// `nil` for comments and empty lines.
    init?(_ line: [UInt8]) {
        guard let first = line.first, first != UInt8(ascii: "#"), let text = String(validating: line, as: UTF8.self)
        else {
            return nil
        }
        words = text.split(separator: " ")
        guard let path = words.first else { return nil }
        self.path = String(path)
        isOptional = words.last == "optional"
    }

    func word(_ key: String) -> Substring? {
        words.first { $0.hasPrefix("\(key)=") }?.dropFirst(key.utf8.count + 1)
    }

    /// What the content is known by: digest, target of a link, device.
    var content: String {
        let parts = [
            word("type"), word("sha256"), word("link"), word("device"), word("sha256") == nil ? word("size") : nil,
        ]
        return parts.map { $0.map(String.init) ?? "-" }.joined(separator: " ")
    }
}
