import Base

/// How fast something goes, and how long it will take: a bar with rate and remaining time, from reports that come now and then.
struct Pace {
    /// How much of the older rate stays in the new one at each report.
    private static let memory = 0.7
    private static let width = 12

    private var last: (done: UInt64, time: UInt64)?
    private var rate: Double?

    /// What is told at a moment.
    struct Reading: Hashable {
        /// How much is done, drawn; `nil` when nobody knows of how much.
        let bar: String?
        /// The same in words, with rate and remaining time as far as they are known.
        let words: String

        /// Both, as long as that is within `columns`; then the words alone, cut where they must be.
        func text(within columns: Int) -> String {
            let whole = [bar, words].compactMap { $0 }.joined(separator: " ")
            return whole.count <= columns ? whole : String(words.prefix(max(0, columns)))
        }
    }

    /// Reads `done` bytes of `total`, which is 0 when nobody knows, at a moment in nanoseconds.
    mutating func read(done: UInt64, of total: UInt64, at now: UInt64) -> Reading {
        if let last, now > last.time, done >= last.done {
            let present = Double(done - last.done) / (Double(now - last.time) / 1e9)
            rate = rate.map { $0 * Pace.memory + present * (1 - Pace.memory) } ?? present
        }
        last = (done, now)
        let bar = total > 0 ? bar(done, total) : nil
        var words = Words.bytes(done)
        if total > 0 { words += " of \(Words.bytes(total))" }
        guard let rate, rate >= 1 else { return Reading(bar: bar, words: words) }
        words += ", \(Words.bytes(UInt64(min(rate, 1e18))))/s"
        if total > done {
            let seconds = min(Double(total - done) / rate, 1e9)
            words += ", \(Words.age(.seconds(Int64(seconds.rounded(.up))))) left"
        }
        return Reading(bar: bar, words: words)
    }

    private func bar(_ done: UInt64, _ total: UInt64) -> String {
        let filled = min(Pace.width, Int(Double(done) / Double(total) * Double(Pace.width)))
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: Pace.width - filled) + "]"
    }
}
