import Base
import Sealing

/// Reads a payload file line by line in bounded memory. Its digest is compared at its end: who has read the last line has
/// read what was hashed.
final class LineReader {
    static let longestLine = 4 << 20

    private let reader: MemberReader
    private let record: PayloadRecord
    private var hasher = Sealing.Hasher()
    private var hasEnded = false
    private let buffer = PageBuffer(size: 256 << 10)
    private var filled = 0
    private var position = 0

    init(_ record: PayloadRecord, in store: MemberStore) throws(Problem) {
        guard let reader = try posing({ () throws(Failure) in try store.open(record.name.text) }) else {
            throw .finding(VerificationFinding(.members, in: record.name.text, expected: "a file", found: "none"))
        }
        self.reader = reader
        self.record = record
    }

    /// The next line without its line feed; `nil` at the end. A last line without line feed and a line of more than 4 MiB
    /// are findings.
    func next() throws(Problem) -> [UInt8]? {
        var line: [UInt8] = []
        while true {
            if position == filled {
                filled = try refill()
                position = 0
                if filled == 0 {
                    if line.isEmpty { return nil }
                    throw wrong("a line feed at the end", "none")
                }
            }
            let rest = buffer.bytes[position..<filled]
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line += buffer.bytes[position..<end]
                position = end + 1
                return line
            }
            line += rest
            position = filled
            if line.count > Self.longestLine { throw wrong("lines of at most 4 MiB", "a longer one") }
        }
    }

    private func refill() throws(Problem) -> Int {
        let count = try posing { () throws(Failure) in try reader.read(into: buffer.bytes) }
        if count > 0 {
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
        } else if !hasEnded {
            hasEnded = true
            try PayloadCheck.compare(record, with: hasher.finish())
        }
        return count
    }

    private func wrong(_ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.bag, in: reader.member.name, expected: expected, found: found))
    }
}
