/// The known word that somebody probably meant.
public enum NearestWord {
    /// The nearest of `known` within a third of the word's length, at least two changes; ties go to the first. A change
    /// is an insertion, a deletion, a replacement or a swap of neighbours.
    public static func of(_ word: String, among known: [String]) -> String? {
        let bound = max(2, word.count / 3)
        let ranked = known.map { (word: $0, distance: distance(Array(word), Array($0))) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= bound && best.distance < best.word.count ? best.word : nil
    }

    /// The words of a fix: `write "locator"`, or the known words when none is near. Contains none of `word`.
    public static func fix(for word: String, among known: [String], plural: String) -> String {
        if let near = of(word, among: known) { return "write \"\(near)\"" }
        return known.isEmpty ? "there are no \(plural) here" : "known \(plural): \(known.joined(separator: ", "))"
    }

    /// The optimal string alignment distance.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        guard left.count < 200 else { return .max }
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, mine) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(last[column + 1] + 1, current[column] + 1, last[column] + (mine == other ? 0 : 1))
                if row > 0, column > 0, mine == right[column - 1], left[row - 1] == other {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
