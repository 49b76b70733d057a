import Base
import Casework

/// How values of the domain are said to people.
enum Words {
    /// A pin in one line: the cgroups and the leader.
    static func pin(_ pin: SessionPin) -> String {
        let groups = pin.cgroups.map { "\($0.hierarchy) \($0.path) (inode \($0.inode))" }
        let leader = pin.leader.map { ["leader \($0.pid) (started at tick \($0.startTicks))"] } ?? []
        return (groups + leader).joined(separator: ", ")
    }

    /// A case, and that it was opened again when it was.
    static func name(of home: Case) -> String {
        home.isReopened ? "\(home.id) (opened again: it was closed while it held the session)" : home.id.text
    }

    /// A span of time in milliseconds with one digit: `12.3 ms`; from ten seconds on `12.3 s`.
    static func span(_ duration: Duration) -> String {
        let milliseconds = duration.inMilliseconds
        if milliseconds >= 10_000 { return "\(tenths(milliseconds / 1000)) s" }
        return "\(tenths(milliseconds)) ms"
    }

    /// `1 process`, `3 processes`.
    static func count(_ number: Int, _ one: String, _ many: String) -> String {
        "\(number) \(number == 1 ? one : many)"
    }

    /// Bytes with a binary unit: `512 B`, `1.5 MiB`.
    static func bytes(_ number: UInt64) -> String {
        if number < 1024 { return "\(number) B" }
        var value = Double(number)
        for unit in ["KiB", "MiB", "GiB", "TiB"] {
            value /= 1024
            if value < 1024 || unit == "TiB" { return "\(tenths(value)) \(unit)" }
        }
        return "\(number) B"
    }

    private static func tenths(_ value: Double) -> String {
        let scaled = Int64((value * 10).rounded())
        return "\(scaled / 10).\(scaled % 10)"
    }
}

extension Words {
    /// The time of day in UTC: `20:31:05Z`.
    static func clock(_ instant: Instant) -> String { String(instant.description.dropFirst(11).prefix(8)) + "Z" }

    /// A span for people: `42 s`, `17 min`, `5 h`, `3 d`.
    static func age(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) d"
        }
    }
}
