import Base
import Containment
import Kernel

/// Who is around a session, one aligned line each: what they are to it, who, how sure that is, and why. What matters must
/// stay on the screen: an agent can make hundreds of these.
struct CompanyTable {
    /// One line.
    struct Row {
        let what: String
        let pid: Int32
        let name: BytePath
        /// `strong`, `medium`, `weak`; nothing where sureness means nothing.
        let sure: String
        let why: String
    }

    private static let most = 20
    private var rows: [Row] = []
    private var left: [(what: String, count: Int)] = []

    /// Strays that are held, or would be.
    mutating func add(strays: [Stray], called what: String) {
        add(strays, what) { _ in "" }
    }

    /// Those that a person may add.
    mutating func add(listed: [Stray]) {
        add(listed, "maybe") { "; --include \($0.process.pid) takes it along" }
    }

    private mutating func add(_ strays: [Stray], _ what: String, _ more: (Stray) -> String) {
        add(strays, what) { stray in
            Row(
                what: what,
                pid: stray.process.pid,
                name: stray.name,
                sure: CompanyTable.strength(of: stray).rawValue,
                why: stray.marks.map(\.rawValue).joined(separator: ", ") + more(stray)
            )
        }
    }

    /// Processes inside that are not of the session.
    mutating func add(guests: [Guest], spared: String) {
        add(guests, "guest") { guest in
            Row(
                what: "guest",
                pid: guest.process.pid,
                name: guest.name,
                sure: "",
                why: Escaped.terminal(guest.reason) + (guest.isSpared ? spared : "")
            )
        }
    }

    /// Processes that are joined to it.
    mutating func add(peers: [SessionPeer], offers: Bool) {
        add(peers, "peer") { peer in
            Row(
                what: peer.isHeld ? "peer held" : "peer",
                pid: peer.process.pid,
                name: peer.name,
                sure: "",
                why: CompanyTable.words(of: peer)
                    + (offers && peer.reason == nil && !peer.isHeld ? "; --with peers takes it along" : "")
            )
        }
    }

    private mutating func add<Value>(_ values: [Value], _ what: String, _ row: (Value) -> Row) {
        rows += values.prefix(CompanyTable.most).map(row)
        if values.count > CompanyTable.most { left.append((what, values.count - CompanyTable.most)) }
    }

    /// How sure the surest mark is.
    static func strength(of stray: Stray) -> Mark.Strength {
        let all = Set(stray.marks.map(\.strength))
        return all.contains(.strong) ? .strong : all.contains(.medium) ? .medium : .weak
    }

    /// How a peer is joined, and whom else it serves.
    static func words(of peer: SessionPeer) -> String {
        let links = peer.links.map { link in
            let way =
                switch link.way {
                case .pipe: "pipe"
                case .fifo: "FIFO"
                case .unixSocket: "unix socket"
                case .loopback: "loopback"
                }
            return "\(link.role.rawValue) by \(way)" + (link.address.map { " \($0)" } ?? "")
        }
        let count = peer.otherClients
        let others = count == 0 ? "serves nobody else" : "serves \(count) \(count == 1 ? "other" : "others")"
        return links.joined(separator: ", ") + "; \(others)" + (peer.reason.map { "; not held: \($0)" } ?? "")
    }

    /// The lines, with columns as wide as they need to be.
    var lines: [String] {
        let pids = rows.map { "\($0.pid)" }
        let names = rows.map { "\($0.name)" }
        let wide = (pids.map(\.count).max() ?? 0, min(24, names.map(\.count).max() ?? 0))
        let isRanked = rows.contains { !$0.sure.isEmpty }
        var lines: [String] = []
        for (row, (pid, name)) in zip(rows, zip(pids, names)) {
            let sure = isRanked ? CompanyTable.padded(row.sure, to: 6) + "  " : ""
            let head = CompanyTable.padded(row.what, to: 11) + "  " + CompanyTable.padded(pid, to: wide.0)
            lines.append("\(head)  \(CompanyTable.padded(name, to: wide.1))  \(sure)\(row.why)")
        }
        for (what, count) in left {
            lines.append("\(CompanyTable.padded(what, to: 11))  \(count) more: --json lists all")
        }
        return lines
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// What a session serves to others and which locks it holds (RT23), in lines for people.
enum ServiceLines {
    static func lines(of surroundings: Surroundings) -> [String] {
        var lines: [String] = []
        for service in surroundings.services.prefix(20) { lines.append("serves       \(words(of: service))") }
        if surroundings.services.count > 20 {
            lines.append("serves       \(surroundings.services.count - 20) more: --json lists all")
        }
        for lock in surroundings.locks.prefix(20) {
            let what = "\(Escaped.terminal(lock.lock.kind)) \(Escaped.terminal(lock.lock.mode))"
            let file = lock.path.map { "\($0)" } ?? "file \(Escaped.terminal(lock.lock.file))"
            let waits = lock.lock.waiting == 0 ? "" : "; \(lock.lock.waiting) wait for it"
            lines.append("lock         \(lock.process.pid) holds \(what) on \(file)\(waits)")
        }
        if surroundings.locks.count > 20 {
            lines.append("lock         \(surroundings.locks.count - 20) more: --json lists all")
        }
        for line in surroundings.unknown { lines.append("not seen     \(Escaped.terminal(line))") }
        return lines
    }

    private static func words(of service: SessionService) -> String {
        let what =
            switch service.kind {
            case .tcp: "tcp"
            case .unixSocket: "unix socket"
            case .fuse: "a FUSE filesystem: whoever uses it hangs while it is frozen"
            case .fanotify: "fanotify permissions: whoever opens what is marked hangs while it is frozen"
            case .seccompListener: "system calls of others: these hang while it is frozen"
            case .blockDevice: "a block device: whoever uses it hangs while it is frozen"
            case .userfaultfd: "pages of memory"
            }
        let place = service.address.map { " \($0)" } ?? ""
        guard let clients = service.clients else { return "\(what)\(place) (process \(service.process.pid))" }
        let who =
            service.clientPids.isEmpty ? "" : " (" + service.clientPids.map { "\($0)" }.joined(separator: ", ") + ")"
        let count = clients == 0 ? "nobody" : clients == 1 ? "1 client" : "\(clients) clients"
        return "\(what)\(place) (process \(service.process.pid)) to \(count)\(who)"
    }
}
