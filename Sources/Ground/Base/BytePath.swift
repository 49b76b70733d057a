/// A path or a name as the kernel knows it: bytes without NUL, in no declared encoding.
///
/// Swift's `String` repairs invalid UTF-8 and compares by canonical equivalence, so two files of a session would become
/// one. Text for people is made only by ``Escaped``. Source: path_resolution(7).
public struct BytePath: Hashable, Sendable {
    /// The bytes, without a terminating NUL.
    public let bytes: [UInt8]

    /// Takes bytes up to the first NUL, as the kernel would.
    ///
    /// Every name of a tree comes this way several times: inlinable, so that callers get code for their kind of sequence.
    @inlinable
    public init(_ bytes: some Sequence<UInt8>) {
        let copied = bytes.withContiguousStorageIfAvailable { all in
            Array(all[..<(all.firstIndex(of: 0) ?? all.endIndex)])
        }
        self.bytes = copied ?? Array(bytes.prefix { $0 != 0 })
    }

    /// Takes the UTF-8 bytes of a text that is known to Quell, such as a fixed path or an argument.
    public init(_ text: String) {
        self.init(text.utf8)
    }

    /// The relative path of these components, a slash between two.
    public init(joining components: [BytePath]) { self.init(joining: components[...]) }

    /// The same of some components of a path. No sequence of any kind: the runtime would look for its conformance to one
    /// before a freeze.
    public init(joining components: ArraySlice<BytePath>) {
        var joined: [UInt8] = []
        for component in components {
            if !joined.isEmpty { joined.append(UInt8(ascii: "/")) }
            joined += component.bytes
        }
        bytes = joined
    }

    /// Whether the path starts at the root.
    public var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

    /// Whether there are no bytes at all.
    public var isEmpty: Bool { bytes.isEmpty }

    /// The components between slashes; empty ones are dropped, `.` and `..` are kept as they are.
    public var components: [BytePath] {
        bytes.split(separator: UInt8(ascii: "/")).map { BytePath($0) }
    }

    /// The last component, or the empty path when there is none.
    public var lastComponent: BytePath { components.last ?? BytePath("") }

    /// Everything before the last component: `/a/b` gives `/a`, `/a` gives `/`, `a` gives the empty path.
    public var parent: BytePath {
        let kept = BytePath(joining: components.dropLast())
        return isAbsolute ? BytePath([UInt8(ascii: "/")] + kept.bytes) : kept
    }

    /// This path with a slash and `other` behind it.
    public func appending(_ other: BytePath) -> BytePath {
        if bytes.isEmpty { return other }
        let tail = other.bytes.drop { $0 == UInt8(ascii: "/") }
        if bytes.last == UInt8(ascii: "/") { return BytePath(bytes + tail) }
        return BytePath(bytes + [UInt8(ascii: "/")] + tail)
    }

    /// This path with a slash and the UTF-8 bytes of `other` behind it.
    public func appending(_ other: String) -> BytePath { appending(BytePath(other)) }

    /// Whether this path is `ancestor` or lies below it, component by component.
    public func isAtOrBelow(_ ancestor: BytePath) -> Bool {
        isAbsolute == ancestor.isAbsolute && components.starts(with: ancestor.components)
    }

    /// The text, if and only if the bytes are valid UTF-8; for hostile names print through ``Escaped``.
    public var text: String? { String(validating: bytes, as: UTF8.self) }

    /// Calls `body` with the bytes and a terminating NUL behind them.
    @inlinable
    public func withCString<Result, Problem: Error>(
        _ body: (UnsafePointer<CChar>) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        var terminated: [UInt8] = []
        terminated.reserveCapacity(bytes.count + 1)
        terminated += bytes
        terminated.append(0)
        return try terminated.withUnsafeBufferPointer { buffer throws(Problem) -> Result in
            guard let start = buffer.baseAddress else { preconditionFailure("a terminated buffer is never empty") }
            // char may be signed, its bytes are the same.
            return try body(UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self))
        }
    }
}

extension BytePath: Comparable {
    /// Orders by bytes, as `LC_ALL=C sort` does.
    public static func < (left: BytePath, right: BytePath) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

extension BytePath: CustomStringConvertible {
    /// The path made safe for a terminal.
    public var description: String { Escaped.terminal(self) }
}

extension BytePath: Codable {
    private enum CodingKeys: String, CodingKey { case bytes }

    /// Reads a string, or `{"bytes": BASE64}` for names that are not valid UTF-8; a NUL within is refused.
    public init(from decoder: any Decoder) throws {
        if let keyed = try? decoder.container(keyedBy: CodingKeys.self), keyed.contains(.bytes) {
            let encoded = try keyed.decode(String.self, forKey: .bytes)
            guard let decoded = Base64.decode(encoded) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .bytes,
                    in: keyed,
                    debugDescription: "not base64"
                )
            }
            try self.init(decoded, from: decoder)
            return
        }
        try self.init(Array(try decoder.singleValueContainer().decode(String.self).utf8), from: decoder)
    }

    /// A coded path is whole: cut at a NUL it would name another file than its author wrote.
    private init(_ bytes: [UInt8], from decoder: any Decoder) throws {
        guard !bytes.contains(0) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "a path with a NUL")
            )
        }
        self.init(bytes)
    }

    /// Writes a string when the bytes are valid UTF-8, else `{"bytes": BASE64}`.
    public func encode(to encoder: any Encoder) throws {
        if let text {
            var single = encoder.singleValueContainer()
            try single.encode(text)
        } else {
            // No key type of its own (``JSONKey``): the runtime looks for it when a path without any is written, too.
            var keyed = encoder.container(keyedBy: JSONKey.self)
            try keyed.encode(Base64.encode(bytes), forKey: "bytes")
        }
    }
}
