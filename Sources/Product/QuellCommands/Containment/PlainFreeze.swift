/// A freeze without the parser. Building the parser of all options is a quarter of what `quell freeze cgroup:/a7` computes
/// before it acts (docs/benchmarks.md), and nearly every freeze is such a line.
extension FreezeOrder {
    /// Reads the words behind `quell freeze` when each is a locator or one of the plain words below, given once. Everything
    /// else, mistakes and help among it, is the parser's: then it is `nil`. A test holds both to the same meaning.
    init?(plain words: [String]) {
        self.init(locators: [])
        var seen: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.utf8.first == UInt8(ascii: "-") else {
                if word.isEmpty { return nil }
                locators.append(word)
                continue
            }
            guard !seen.contains(word), take(word, &rest) else { return nil }
            seen.append(word)
        }
        if locators.isEmpty { return nil }
    }

    private mutating func take(_ option: String, _ rest: inout ArraySlice<String>) -> Bool {
        switch option {
        case "--json": wantsJSON = true
        case "--quiet": isQuiet = true
        case "--no-cut": keepsNetwork = true
        case "--reason": return FreezeOrder.take(&reason, from: &rest)
        case "--case": return FreezeOrder.take(&namedCase, from: &rest)
        case "--store": return FreezeOrder.take(&chosenStore, from: &rest)
        default: return false
        }
        return true
    }

    private static func take(_ value: inout String?, from rest: inout ArraySlice<String>) -> Bool {
        guard let word = rest.popFirst(), !word.isEmpty, word.utf8.first != UInt8(ascii: "-") else { return false }
        value = word
        return true
    }
}
