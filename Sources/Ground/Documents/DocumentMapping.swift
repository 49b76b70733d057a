public import Base

/// A mapping whose keys were checked against the known ones.
public struct DocumentMapping: Sendable {
    /// The entries in the order of the file.
    public let entries: [DocumentEntry]
    /// Where the mapping begins.
    public let place: Place

    /// The value of a key, when it is there.
    public subscript(key: String) -> Document? {
        entries.first { $0.key == key }?.value
    }

    /// The value of a key that must be there.
    public func required(_ key: String) throws(Failure) -> Document {
        guard let value = self[key] else {
            throw place.failure("the key \"\(key)\" is missing", fix: "add \"\(key): ...\" to this mapping")
        }
        return value
    }

    /// The text of a key that must be there.
    public func string(_ key: String) throws(Failure) -> String { try required(key).string() }

    /// The text of a key, or `nil` when the key is not there. A key with nothing behind it is an error.
    public func optionalString(_ key: String) throws(Failure) -> String? {
        guard let value = self[key] else { return nil }
        return try value.string()
    }

    /// The texts of a list, or none when the key is not there.
    public func strings(_ key: String) throws(Failure) -> [String] {
        guard let value = self[key] else { return [] }
        return try value.strings()
    }
}

extension Document {
    /// The mapping here, with only keys of `known`. An unknown key is an error at the key whose fix names the nearest
    /// known one.
    public func mapping(known: [String]) throws(Failure) -> DocumentMapping {
        let mapping = try anyMapping()
        for entry in mapping.entries where !known.contains(entry.key) {
            throw entry.keyPlace.failure(
                "unknown key \"\(entry.key)\"",
                fix: NearestWord.fix(for: entry.key, among: known, plural: "keys")
            )
        }
        return mapping
    }

    /// The mapping here, with whatever keys it has: for keys that a person chooses, such as names of parameters.
    public func anyMapping() throws(Failure) -> DocumentMapping {
        guard case .mapping(let entries) = content else { throw expected("a mapping, one \"key: value\" a line") }
        return DocumentMapping(entries: entries, place: place)
    }
}
