import Base
import Containment
import Kernel

/// What an isolation did, in lines for people.
enum IsolationReport {
    static func lines(of result: IsolationResult) -> [String] {
        var lines = result.cut.drops.map { "network      dropped for \($0.group.path)" }
        let sockets = result.sockets
        lines.append(
            "sockets      \(sockets.recorded) on record, \(sockets.destroyed) destroyed for good"
                + (sockets.cut.isEmpty ? "" : ", \(sockets.cut.count) left behind the drop")
        )
        if sockets.silentWhileFrozen > 0 {
            lines.append("             \(sockets.silentWhileFrozen) from elsewhere stay silent only while it is frozen")
        }
        for table in result.tables.tables { lines.append("nftables     \(table.name)") }
        for note in result.tables.notes { lines.append("             \(Escaped.terminal(note))") }
        for table in result.links.tables {
            let links = (table.links ?? []).joined(separator: ", ")
            lines.append("host end     everything over \(Escaped.terminal(links)) is dropped: \(table.name)")
        }
        for carrier in result.carriers.carriers where carrier.isHeld {
            lines.append(
                "carrier      process \(carrier.process.pid) (\(carrier.name)), outside, carries its network: held"
            )
        }
        if result.carriers.destroyed > 0 {
            lines.append("             \(result.carriers.destroyed) of its connections destroyed for good")
        }
        let channels = result.test.tried.map(\.text).sorted().joined(separator: ", ")
        if result.test.isProven {
            lines.append("proof        nothing passed in either direction over \(channels), old sockets and new")
        } else {
            lines.append("proof        none: the cut stays, but it is not proven")
        }
        return lines
    }
}
