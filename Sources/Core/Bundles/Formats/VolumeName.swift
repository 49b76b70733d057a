/// How the volumes of an archive are numbered: 000 to 899, then 90000 to 98999, then 9900000 to 9989999. Sorted by bytes
/// they stand in the order of the stream, however many there are, so `cat ROOT.pax.zst.*` is the stream.
enum VolumeName {
    /// How many volumes an archive may have.
    static let limit = 900 + 9_000 + 90_000

    /// The suffix of volume `index`, from 0; `nil` beyond the limit.
    static func suffix(_ index: Int) -> String? {
        if index < 900 { return padded(index, 3) }
        if index < 9_900 { return "9" + padded(index - 900, 4) }
        if index < limit { return "99" + padded(index - 9_900, 5) }
        return nil
    }

    /// The payload name of volume `index` of the stream whose volumes are called `base`.
    static func text(base: String, index: Int) -> String? { suffix(index).map { "\(base).\($0)" } }

    /// The payload name of volume `index` of `root`.
    static func text(root: String, index: Int) -> String? { text(base: archive(root: root), index: index) }

    /// What the volumes of the archive of `root` are called, without their numbers.
    static func archive(root: String) -> String { "data/files/\(root).pax.zst" }

    /// The payload name of the mtree of `root`.
    static func mtree(root: String) -> String { "data/files/\(root).mtree" }

    /// Why `root` is no name of a root, or `nil`.
    static func problem(of root: String) -> String? {
        let allowed = root.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
        }
        if root.isEmpty || root.utf8.count > 64 || !allowed || root.hasPrefix("-") {
            return "it should be 1 to 64 of a-z, 0-9 and hyphen, not beginning with a hyphen"
        }
        return nil
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: width - digits.count) + digits
    }
}
