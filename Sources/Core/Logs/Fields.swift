import Base

/// Takes the members of a worker's object one by one; what is left over at the end is refused.
struct Fields {
    private let object: JSONObject
    private var taken = 0

    var names: [String] { object.members.map(\.key) }

    init(_ value: JSONValue) throws(Failure) {
        guard case .object(let object) = value else {
            throw Failure(.malformed, "read a worker's record", on: "the line", because: "it is no object")
        }
        self.object = object
    }

    func problem(_ reason: String) -> Failure {
        Failure(.malformed, "read a worker's record", on: "the line", because: reason)
    }

    func finish() throws(Failure) {
        guard taken == object.members.count else { throw problem("it has members that no record has") }
    }

    mutating func text(_ key: String, bound: Int) throws(Failure) -> String? {
        guard let value = take(key) else { return nil }
        guard case .string(let text) = value, text.utf8.count <= bound else {
            throw problem("\(key) is no text of at most \(bound) bytes")
        }
        return text
    }

    mutating func flag(_ key: String) throws(Failure) -> Bool {
        guard let value = take(key) else { return false }
        guard case .bool(let flag) = value else { throw problem("\(key) is no truth value") }
        return flag
    }

    mutating func optionalNumber(_ key: String) throws(Failure) -> Int64? {
        guard let value = take(key) else { return nil }
        guard case .integer(let number) = value else { throw problem("\(key) is no integer") }
        return number
    }

    mutating func optionalCount(_ key: String) throws(Failure) -> Int64? {
        guard let number = try optionalNumber(key) else { return nil }
        guard number >= 0 else { throw problem("\(key) is negative") }
        return number
    }

    mutating func count(_ key: String) throws(Failure) -> Int64 {
        guard let number = try optionalCount(key) else { throw problem("\(key) is missing") }
        return number
    }

    mutating func optionalWord<Word: RawRepresentable<String>>(
        _ key: String,
        as type: Word.Type
    ) throws(Failure) -> Word? {
        guard let text = try text(key, bound: Bound.name) else { return nil }
        guard let word = Word(rawValue: text) else { throw problem("\(key) is not a known word") }
        return word
    }

    mutating func word<Word: RawRepresentable<String>>(_ key: String, as type: Word.Type) throws(Failure) -> Word {
        guard let word = try optionalWord(key, as: type) else { throw problem("\(key) is missing") }
        return word
    }

    mutating func object(_ key: String) throws(Failure) -> JSONObject? {
        guard let value = take(key) else { return nil }
        guard case .object(let object) = value else { throw problem("\(key) is no object") }
        return object
    }

    mutating func time(_ key: String) throws(Failure) -> RecordTime? {
        guard let value = take(key) else { return nil }
        guard
            case .array(let parts) = value, parts.count == 3, let earliest = parts[0].integer,
            let latest = parts[1].integer, earliest <= latest, let word = parts[2].string,
            let zone = RecordTime.Zone(rawValue: word)
        else { throw problem("\(key) is no time") }
        return RecordTime(Interval(Instant(nanoseconds: earliest), Instant(nanoseconds: latest)), zone: zone)
    }

    private mutating func take(_ key: String) -> JSONValue? {
        guard let value = object[key] else { return nil }
        taken += 1
        return value
    }
}
