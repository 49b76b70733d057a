import Base

/// Finds the JSON objects in one line of a file with several writers. A whole line is one piece; `{...}{...}` is two;
/// a torn object with a whole one behind it is an unreadable piece and a whole one. The pieces stand in order, never
/// overlap, and leave out nothing but blanks.
enum SplicedLine {
    struct Piece {
        let range: Range<Int>
        /// `nil` when the bytes are no JSON value.
        let value: JSONValue?
    }

    /// How many places in one line are tried as the beginning of an object, and how many pieces are cut.
    private static let trials = 64
    private static let pieces = 1000

    static func pieces(of line: UnsafeBufferPointer<UInt8>) -> [Piece] {
        if let value = parse(line, 0..<line.count) { return [Piece(range: 0..<line.count, value: value)] }
        var pieces: [Piece] = []
        var trialsLeft = trials
        var position = 0
        while position < line.count, pieces.count < SplicedLine.pieces {
            if let whole = object(in: line, at: position) {
                pieces.append(whole)
                position = skipBlanks(line, from: whole.range.upperBound)
                continue
            }
            let next = nextRecord(in: line, behind: position, &trialsLeft)
            let tornEnd = next?.range.lowerBound ?? line.count
            pieces.append(Piece(range: position..<trimmed(line, position..<tornEnd), value: nil))
            if let next { pieces.append(next) }
            position = skipBlanks(line, from: next?.range.upperBound ?? line.count)
        }
        if position < line.count { pieces.append(Piece(range: position..<line.count, value: nil)) }
        return pieces
    }

    private static func parse(_ line: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> JSONValue? {
        do {
            return try JSONReader.read(UnsafeBufferPointer(rebasing: line[range]), manner: .lenient)
        } catch {
            return nil  // The caller turns this into an unreadable record with its place.
        }
    }

    private static func object(in line: UnsafeBufferPointer<UInt8>, at start: Int) -> Piece? {
        guard line[start] == UInt8(ascii: "{"), let end = closingBrace(of: line, from: start) else { return nil }
        let next = skipBlanks(line, from: end)
        guard next == line.count || line[next] == UInt8(ascii: "{") else { return nil }
        guard let value = parse(line, start..<end) else { return nil }
        return Piece(range: start..<end, value: value)
    }

    /// The next whole object behind a torn one: it names its type and is followed by another or by the end, which no
    /// object nested in the torn one is.
    private static func nextRecord(
        in line: UnsafeBufferPointer<UInt8>,
        behind start: Int,
        _ trialsLeft: inout Int
    ) -> Piece? {
        var index = start + 1
        while index + 1 < line.count, trialsLeft > 0 {
            if line[index] == UInt8(ascii: "{"), line[index + 1] == UInt8(ascii: "\"") {
                trialsLeft -= 1
                if let piece = object(in: line, at: index), piece.value?["type"]?.string != nil { return piece }
            }
            index += 1
        }
        return nil
    }

    /// The place behind the brace that closes the object at `start`, by structure alone.
    private static func closingBrace(of line: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        var depth = 0
        var isInString = false
        var index = start
        while index < line.count {
            let byte = line[index]
            if isInString {
                if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { isInString = false }
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
            } else if byte == UInt8(ascii: "{") {
                depth += 1
            } else if byte == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { return index + 1 }
            }
            index += 1
        }
        return nil
    }

    private static func skipBlanks(_ line: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var index = start
        while index < line.count, Blank.contains(line[index]) { index += 1 }
        return index
    }

    /// The end of `range` without the blanks before it; never before its first byte.
    private static func trimmed(_ line: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int {
        var end = range.upperBound
        while end > range.lowerBound + 1, Blank.contains(line[end - 1]) { end -= 1 }
        return end
    }
}
