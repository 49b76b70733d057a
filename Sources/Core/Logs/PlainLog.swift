import Base

/// Reads a plain log: one record a line, with the time in front of it when there is one.
struct PlainLog {
    /// The latest time that a line can have, to find the year of dates without one.
    let latest: Instant?

    func record(of line: BorrowedLine) -> Record {
        var record = line.record(.line)
        record.type = "line"
        let isBracketed = line.bytes.first == UInt8(ascii: "[")
        let beginning = Array(line.bytes.dropFirst(isBracketed ? 1 : 0).prefix(64))
        guard let found = LogTime.read(beginning: beginning, latest: latest) else {
            record.text = Record.Excerpt(of: line.bytes)
            return record
        }
        record.time = found.time
        let rest = line.bytes.dropFirst(found.length + (isBracketed ? 1 : 0))
        let separators = [UInt8(ascii: "]"), UInt8(ascii: " "), UInt8(ascii: ":"), UInt8(ascii: "\t")]
        record.text = Record.Excerpt(of: rest.drop { separators.contains($0) })
        return record
    }
}
