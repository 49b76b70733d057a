/// The result: one row a bar.
struct Table {
    private var rows: [[String]] = [["what", "quell", "reference", "bar", "verdict"]]
    private var notes: [String] = []
    private(set) var failures = 0

    /// Adds a line below the rows.
    mutating func note(_ text: String) { notes.append(text) }

    /// Adds a row with a bar that is either held or not.
    mutating func add(_ what: String, _ ours: String, _ reference: String, bar: String, isHeld: Bool) {
        rows.append([what, ours, reference, bar, isHeld ? "pass" : "FAIL"])
        if !isHeld { failures += 1 }
    }

    /// The rows in columns.
    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }
        return (lines + notes).joined(separator: "\n")
    }
}

/// The middle value; of an even number the lower one.
func median(_ values: [UInt64]) -> UInt64 {
    values.sorted()[(values.count - 1) / 2]
}

/// The value that nine of ten do not exceed.
func high(_ values: [UInt64]) -> UInt64 {
    values.sorted()[(values.count * 9 + 9) / 10 - 1]
}

/// Nanoseconds as milliseconds with two digits.
func milliseconds(_ nanoseconds: UInt64) -> String {
    let hundredths = (nanoseconds + 5_000) / 10_000
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) ms"
}
