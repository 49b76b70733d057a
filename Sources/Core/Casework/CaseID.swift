import Glibc

/// The name of a case: `[a-z0-9-]`, at most 40 characters, short enough for the phone, and harmless in any shell (RT14).
public struct CaseID: Hashable, Sendable, CustomStringConvertible {
    /// The text.
    public let text: String

    /// Takes a text of the form `[a-z0-9]+(-[a-z0-9]+)*`; any other gives `nil`.
    public init?(_ text: some StringProtocol) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in !part.isEmpty && part.allSatisfy(CaseID.isPlain) }
        guard isPlain, text.utf8.count <= 40 else { return nil }
        self.text = String(text)
    }

    private init(word: String, digits: String) { text = "\(word)-\(digits)" }

    /// A new random name such as `amber-7f3a`: one of 64 words and 20 random bits. The store makes sure it is free.
    public static func fresh() -> CaseID {
        var generator = SystemRandomNumberGenerator()
        let word = words.randomElement(using: &generator) ?? "case"
        let digits = (0..<4).map { _ in alphabet[Int.random(in: 0..<32, using: &generator)] }
        return CaseID(word: word, digits: String(digits))
    }

    /// The text.
    public var description: String { text }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// Without i, l, o and u, which are misheard and misread.
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")

    private static let words = [
        "acorn", "amber", "anvil", "apple", "arrow", "aspen", "baker", "basin", "beach", "berry", "birch", "bison",
        "brick", "brook", "cabin", "cedar", "chalk", "cider", "cliff", "clove", "coral", "crane", "delta", "eagle",
        "ember", "fable", "falcon", "fern", "flint", "forest", "garnet", "ginger", "glade", "grove", "harbor", "hazel",
        "heron", "indigo", "island", "ivory", "jasper", "juniper", "lagoon", "lemon", "linden", "lotus", "maple",
        "marble", "meadow", "mesa", "olive", "onyx", "orbit", "otter", "pearl", "pepper", "pine", "quartz", "raven",
        "river", "saffron", "spruce", "tulip", "walnut",
    ]
}
