public import Base

/// The name of one payload file of a bundle: `data/` and one or more components of `[a-z0-9._-]`, at most 100 bytes.
///
/// The alphabet is closed because BagIt tools disagree about CR, LF, `%` and backslash in names (RFC 8493 section
/// 2.1.3), and 100 bytes fit the name field of a plain ustar header (POSIX pax, "ustar Header Block"). Names that a
/// session chose never become payload names; they stand in the archives and in mtree files, as bytes.
public struct PayloadName: Hashable, Sendable {
    /// The name, such as `data/files/workspace.mtree`.
    public let text: String

    /// Takes a name below `data/`.
    ///
    /// - Throws: `malformed` when it is not of the closed form; no component may begin with a dot.
    public init(_ text: String) throws(Failure) {
        if let problem = MemberName.problem(of: text) {
            throw Failure(.malformed, "name a payload file", on: text, because: problem)
        }
        guard text.hasPrefix("data/") else {
            throw Failure(.malformed, "name a payload file", on: text, because: "payload lies below data/")
        }
        self.text = text
    }

    /// Takes a name that was made from another one.
    private init(made text: String) { self.text = text }

    /// The name among what only its recipients can open: `data/memory/x` becomes `secrets/memory/x`.
    var secret: PayloadName { isSecret ? self : PayloadName(made: PayloadName.secrets + text.dropFirst("data/".count)) }

    /// Whether it stands among what only its recipients can open, which is outside data/.
    public var isSecret: Bool { text.hasPrefix(PayloadName.secrets) }

    /// Where encrypted volumes lie: beside data/, so that a bundle is whole without them for who may not read them.
    static let secrets = "secrets/"

    /// Takes a name below `data/` or `secrets/`.
    ///
    /// - Throws: `malformed` when it is of neither form.
    init(member text: String) throws(Failure) {
        guard text.hasPrefix(PayloadName.secrets) else {
            try self.init(text)
            return
        }
        try self.init("data/" + text.dropFirst(PayloadName.secrets.count))
        self = secret
    }
}

extension PayloadName: Comparable {
    /// Orders by bytes.
    public static func < (left: PayloadName, right: PayloadName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension PayloadName: CustomStringConvertible {
    /// The name itself; its alphabet is safe everywhere.
    public var description: String { text }
}

/// The form that every member name of a bundle has, tag files included.
enum MemberName {
    static let longest = 100

    /// Why `text` is no payload name, or `nil` when it is one.
    static func problem(of text: String) -> String? {
        if text.isEmpty { return "the name is empty" }
        if text.utf8.count > longest { return "the name is longer than \(longest) bytes" }
        for component in text.split(separator: "/", omittingEmptySubsequences: false) {
            if component.isEmpty { return "a component is empty" }
            if component.hasPrefix(".") { return "a component begins with a dot" }
        }
        for byte in text.utf8 where !isAllowed(byte) {
            return "only a-z, 0-9, dot, underscore, slash and hyphen may stand in it"
        }
        return nil
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
