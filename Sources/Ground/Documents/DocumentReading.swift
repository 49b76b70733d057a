public import Base

extension Document {
    /// The items of a list.
    public func list() throws(Failure) -> [Document] {
        guard case .sequence(let items) = content else { throw expected("a list, one item a line after \"- \"") }
        return items
    }

    /// A text: any scalar but an empty one or `null`, as it was written. `yes` and `1.0` are the texts `yes` and `1.0`;
    /// a quoted empty text is a text.
    public func string() throws(Failure) -> String {
        guard case .scalar(let scalar) = content, scalar.tag != .null else { throw expected("a text") }
        return scalar.text
    }

    /// A whole number in decimal digits within `range`.
    public func int(in range: ClosedRange<Int> = Int.min...Int.max) throws(Failure) -> Int {
        guard case .scalar(let scalar) = content, scalar.tag == .int else { throw expected("a whole number") }
        guard let value = Int(scalar.text), range.contains(value) else {
            throw expected("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// `true` or `false`; not `yes`, `no`, `on`, `off`, which YAML 1.1 and 1.2 read differently.
    public func bool() throws(Failure) -> Bool {
        guard case .scalar(let scalar) = content, scalar.tag == .bool else { throw expected("true or false") }
        return scalar.text.lowercased() == "true"
    }

    /// A duration: a whole number with a unit, `500ms`, `5s`, `2m` or `1h`.
    public func duration() throws(Failure) -> Duration {
        guard case .scalar(let scalar) = content, let duration = Duration(written: scalar.text) else {
            throw expected("a duration such as 500ms, 5s, 2m or 1h")
        }
        return duration
    }

    /// A list of texts.
    public func strings() throws(Failure) -> [String] {
        var texts: [String] = []
        for item in try list() { texts.append(try item.string()) }
        return texts
    }

    /// A failure at this node: what should stand here, and what does.
    public func expected(_ words: String) -> Failure {
        place.failure("expected \(words), found \(kindWords)")
    }
}

extension Duration {
    /// Reads a whole number with a unit: `ms`, `s`, `m` or `h`. At most 366 days. Anything else gives `nil`.
    public init?(written text: some StringProtocol) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits) else { return nil }
        let unit: Int64? =
            switch text.dropFirst(digits.count) {
            case "ms": 1
            case "s": 1000
            case "m": 60_000
            case "h": 3_600_000
            default: nil
            }
        guard let unit, count <= 366 * 24 * 3_600_000 / unit else { return nil }
        self = .milliseconds(count * unit)
    }
}
