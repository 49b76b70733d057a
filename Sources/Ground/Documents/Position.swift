public import Base

/// A place in a document: line and column, both from 1; the column counts Unicode scalars.
public struct Position: Hashable, Comparable, Sendable {
    /// The line, from 1.
    public let line: Int
    /// The column, from 1.
    public let column: Int

    /// Takes both parts.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// The first character of a document.
    public static let start = Position(line: 1, column: 1)

    /// Orders by line, then by column.
    public static func < (left: Position, right: Position) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

extension Position: CustomStringConvertible {
    /// `3:14`.
    public var description: String { "\(line):\(column)" }
}

/// Where a node stands: which document, and the place in it. Every error about a document is told with one.
public struct Place: Hashable, Sendable {
    /// The file as it was named by the caller.
    public let file: BytePath
    /// The place in the file.
    public let position: Position

    /// Takes both parts.
    public init(file: BytePath, position: Position) {
        self.file = file
        self.position = position
    }

    /// `agents.yaml:3:14`; not escaped.
    public var text: String { "\(String(decoding: file.bytes, as: UTF8.self)):\(position)" }

    /// The failure of a document at this place; `fix` says what to write instead.
    public func failure(_ reason: String, fix: String? = nil, attempt: String = "read the document") -> Failure {
        Failure(.malformed, attempt, on: text, because: reason, hint: fix)
    }
}
