import Base

/// A table of /proc/sysvipc: a heading of column names, then one row an object. Source: proc_sysvipc(5).
struct SystemVTable: Hashable, Sendable {
    /// Rows that are kept.
    static let mostRows = 65_536
    /// Columns that hold seconds since the epoch, 0 for never.
    private static let times: Set<String> = ["atime", "dtime", "ctime", "stime", "rtime", "otime"]

    /// One object.
    struct Row: Hashable, Sendable {
        /// By the kernel's column names, in their order.
        let fields: [(name: String, text: String)]

        /// A number, or `nil` when there is no such column; what is no number has no place in these tables.
        subscript(_ name: String) -> Int64? { fields.first { $0.name == name }.flatMap { Int64($0.text) } }

        static func == (left: Row, right: Row) -> Bool {
            left.fields.elementsEqual(right.fields) { $0.name == $1.name && $0.text == $1.text }
        }

        func hash(into hasher: inout Swift.Hasher) { for field in fields { hasher.combine(field.text) } }

        /// Permissions stay octal text, times become stamps, and the key is told as ipcs(1) prints it.
        var line: JSONObject {
            var line = JSONObject()
            for (name, text) in fields {
                if name == "perms" {
                    line[name] = .string(text)
                } else if name == "key", let number = Int32(text) {
                    line[name] = .string("0x" + String(UInt32(bitPattern: number), radix: 16))
                } else if SystemVTable.times.contains(name), let seconds = Int64(text) {
                    line[name] = seconds == 0 ? .null : .string("\(Instant(nanoseconds: seconds &* 1_000_000_000))")
                } else {
                    line[name] = Int64(text).map(JSONValue.integer) ?? .string(text)
                }
            }
            return line
        }
    }

    let rows: [Row]
    /// Rows that are not told: of another form, or too many.
    let leftOut: Int

    /// Parses a table.
    init(parsing bytes: [UInt8]) {
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        let names = (lines.first ?? "").split(separator: " ").map(String.init)
        rows = lines.dropFirst().prefix(SystemVTable.mostRows).compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            return words.count == names.count && !names.isEmpty ? Row(fields: Array(zip(names, words))) : nil
        }
        leftOut = max(0, lines.count - 1) - rows.count
    }
}
