public import Base
import Yams

/// Reads YAML into a bounded ``Document``. Everything that a person who wrote configuration did not mean is refused with
/// file, line and column: duplicate keys (with both places), anchors, aliases, tags, several documents, keys that are
/// not scalars.
public enum YAMLReader {
    /// Reads one document from `bytes`; `file` is only used to name places. An empty document is an error.
    public static func read(
        _ bytes: [UInt8],
        named file: BytePath,
        limits: DocumentLimits = .standard
    ) throws(Failure) -> Document {
        let source = try YAMLText(bytes, named: file, limits: limits)
        // Anchors are held weakly by the nodes: the parser has to outlive the walk.
        let parser: Parser
        let root: Node?
        do {
            parser = try Parser(yaml: source.text, resolver: .basic, encoding: .utf8)
            root = try parser.singleRoot()
        } catch {
            throw YAMLProblem.failure(error, in: source)
        }
        return try withExtendedLifetime(parser) { () throws(Failure) -> Document in
            guard let root else { throw source.place(.start).failure("the document is empty") }
            var walk = YAMLWalk(source: source, limits: limits)
            return try walk.document(root, depth: 1)
        }
    }
}

/// Turns the parser's nodes into a ``Document`` and stops at the first limit.
private struct YAMLWalk {
    let source: YAMLText
    let limits: DocumentLimits
    var nodes = 0

    mutating func document(_ node: Node, depth: Int) throws(Failure) -> Document {
        let place = try admit(node, depth: depth)
        switch node {
        case .scalar(let scalar):
            return Document(.scalar(DocumentScalar(scalar.string, isQuoted: scalar.style != .plain)), at: place)
        case .sequence(let sequence):
            var items: [Document] = []
            for item in sequence { items.append(try document(item, depth: depth + 1)) }
            return Document(.sequence(items), at: place)
        case .mapping(let mapping):
            var entries: [DocumentEntry] = []
            for pair in mapping { entries.append(try entry(pair.key, pair.value, depth: depth)) }
            return Document(.mapping(entries), at: place)
        case .alias:
            throw place.failure("anchors and aliases are not allowed", fix: "write the value out where it is used")
        }
    }

    private mutating func entry(_ key: Node, _ value: Node, depth: Int) throws(Failure) -> DocumentEntry {
        let keyPlace = place(of: key)
        try refuseAnchor(key, at: keyPlace)
        guard case .scalar(let scalar) = key else {
            throw keyPlace.failure("a key must be a word, not a list or a mapping")
        }
        try refuseTag(scalar.tag.description, at: keyPlace)
        guard scalar.string != "<<" else {
            throw keyPlace.failure("merge keys are not allowed", fix: "write the keys out where they are used")
        }
        let value = try document(value, depth: depth + 1)
        return DocumentEntry(key: scalar.string, keyPlace: keyPlace, value: value)
    }

    private mutating func admit(_ node: Node, depth: Int) throws(Failure) -> Place {
        let place = place(of: node)
        nodes += 1
        guard nodes <= limits.nodes else {
            throw place.failure("more than \(limits.nodes) values")
        }
        guard depth <= limits.depth else {
            throw place.failure("nested deeper than \(limits.depth) levels")
        }
        try refuseAnchor(node, at: place)
        switch node {
        case .scalar(let scalar): try refuseTag(scalar.tag.description, at: place)
        case .sequence(let sequence): try refuseTag(sequence.tag.description, at: place)
        case .mapping(let mapping): try refuseTag(mapping.tag.description, at: place)
        case .alias: break
        }
        return place
    }

    private func refuseAnchor(_ node: Node, at place: Place) throws(Failure) {
        guard node.anchor == nil else {
            throw place.failure("anchors and aliases are not allowed", fix: "write the value out where it is used")
        }
    }

    private func refuseTag(_ tag: String, at place: Place) throws(Failure) {
        // The parser gives quoted scalars the string tag, and keys the tag that comparing them resolved.
        switch tag {
        case "", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map": return
        default: throw place.failure("tags are not allowed, here \"\(tag)\"", fix: "remove the tag")
        }
    }

    private func place(of node: Node) -> Place {
        source.place(node.mark.map { Position(line: $0.line, column: $0.column) } ?? .start)
    }
}
