import Base

/// Reads a payload file line by line in bounded memory.
final class LineReader {
    static let longestLine = 4 << 20

    private let reader: MemberReader
    private let buffer = PageBuffer(size: 256 << 10)
    private var filled = 0
    private var position = 0

    init(_ reader: MemberReader) { self.reader = reader }

    /// The next line without its line feed; `nil` at the end. A last line without line feed and a line of more than 4 MiB
    /// are findings.
    func next() throws(Problem) -> [UInt8]? {
        var line: [UInt8] = []
        while true {
            if position == filled {
                filled = try posing { () throws(Failure) in try reader.read(into: buffer.bytes) }
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

    private func wrong(_ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.bag, in: reader.member.name, expected: expected, found: found))
    }
}
