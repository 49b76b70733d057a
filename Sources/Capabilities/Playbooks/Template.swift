import Base
import Documents

/// A text of a playbook with references in it: `${parameters.reason}`, `${steps.full.bundle}`.
struct Template {
    enum Piece: Hashable {
        case text(String)
        case parameter(String)
        case output(step: String, field: String)
    }

    let pieces: [Piece]

    /// Reads a scalar. An unquoted `steps.ID.FIELD` alone is a reference too. `$${` stands for `${`.
    init(_ document: Document, _ scalar: DocumentScalar) throws(Failure) {
        if !scalar.isQuoted, let bare = Template.output(scalar.text) {
            pieces = [bare]
            return
        }
        var pieces: [Piece] = []
        var text = ""
        var rest = scalar.text[...]
        while let first = rest.first {
            if rest.hasPrefix("$${") {
                text += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let end = rest.firstIndex(of: "}") else {
                    throw document.place.failure("a reference ${ without its }", fix: "write ${parameters.NAME}")
                }
                if !text.isEmpty { pieces.append(.text(text)) }
                text = ""
                pieces.append(try Template.reference(String(rest[..<end].dropFirst(2)), document))
                rest = rest[rest.index(after: end)...]
            } else {
                text.append(first)
                rest = rest.dropFirst()
            }
        }
        if !text.isEmpty || pieces.isEmpty { pieces.append(.text(text)) }
        self.pieces = pieces
    }

    private static func reference(_ path: String, _ document: Document) throws(Failure) -> Piece {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, parts[0] == "parameters" { return .parameter(parts[1]) }
        if let output = output(path) { return output }
        throw document.place.failure(
            "unknown reference \"${\(path)}\"",
            fix: "write ${parameters.NAME} or ${steps.ID.FIELD}"
        )
    }

    private static func output(_ path: String) -> Piece? {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts[0] == "steps",
            parts.dropFirst().allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(ExpressionLexer.isWordByte) })
        else { return nil }
        return .output(step: parts[1], field: parts[2])
    }
}
