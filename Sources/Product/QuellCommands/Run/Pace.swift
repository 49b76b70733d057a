import Base

/// How fast something goes, and how long it will take: a bar with rate and remaining time, from reports that come now and then.
struct Pace {
    /// How much of the older rate stays in the new one at each report.
    private static let memory = 0.7
    private static let width = 20

    private var last: (done: UInt64, time: UInt64)?
    private var rate: Double?

    /// What is told of `done` bytes of `total`, which is 0 when nobody knows, at a moment in nanoseconds.
    mutating func words(done: UInt64, of total: UInt64, at now: UInt64) -> String {
        if let last, now > last.time, done >= last.done {
            let present = Double(done - last.done) / (Double(now - last.time) / 1e9)
            rate = rate.map { $0 * Pace.memory + present * (1 - Pace.memory) } ?? present
        }
        last = (done, now)
        var words = Words.bytes(done)
        if total > 0 { words = "\(bar(done, total)) \(words) of \(Words.bytes(total))" }
        guard let rate, rate >= 1 else { return words }
        words += ", \(Words.bytes(UInt64(min(rate, 1e18)))) a second"
        if total > done {
            let seconds = min(Double(total - done) / rate, 1e9)
            words += ", \(Words.age(.seconds(Int64(seconds.rounded(.up))))) left"
        }
        return words
    }

    private func bar(_ done: UInt64, _ total: UInt64) -> String {
        let filled = min(Pace.width, Int(Double(done) / Double(total) * Double(Pace.width)))
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: Pace.width - filled) + "]"
    }
}
