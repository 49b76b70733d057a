public import Base
import Evidence
import Glibc
import Kernel
import Sessions

/// From when until when logs of the host are taken.
struct CaptureTimes: Hashable, Sendable, Codable {
    /// `nil`: ten minutes before the session began.
    var since: Instant?
    /// `nil`: now.
    var until: Instant?

    init() {}

    /// Reads what a responder wrote: RFC 3339, or a number with `s`, `m`, `h` or `d` behind it, which is so long ago.
    ///
    /// - Throws: `usage` for another form, or when the end lies before the beginning.
    init(since: String?, until: String?, now: Instant) throws(Failure) {
        if let since { self.since = try CaptureTimes.moment(since, "since", now) }
        if let until { self.until = try CaptureTimes.moment(until, "until", now) }
        if let first = self.since, first > self.until ?? now {
            throw Failure(.usage, "capture", on: "--since", because: "it lies behind the end of the window")
        }
    }

    private static func moment(_ text: String, _ option: String, _ now: Instant) throws(Failure) -> Instant {
        if let moment = Instant(rfc3339: text) { return moment }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        if let last = text.last, let unit = units[last], let count = Int64(text.dropLast()),
            (0...1_000_000).contains(count)
        {
            let age = (count * unit).multipliedReportingOverflow(by: 1_000_000_000)
            let moment = now.nanoseconds.subtractingReportingOverflow(age.partialValue)
            guard !age.overflow, !moment.overflow else {
                throw Failure(.usage, "capture", on: "--\(option)", because: "'\(text)' is longer ago than can be told")
            }
            return Instant(nanoseconds: moment.partialValue)
        }
        throw Failure(
            .usage,
            "capture",
            on: "--\(option)",
            because: "'\(text)' is neither a time such as 2026-11-23T04:00:00Z nor an age such as 30m, 2h or 3d"
        )
    }
}

extension SessionPin {
    /// Whether it pins nothing: what is left of a session that has ended. It is the same as no other (RT16).
    public var namesNothing: Bool { cgroups.isEmpty && leader == nil }
}

/// Finds what a session left on the disk of the host, for a capture: its file systems, transcripts at known places, the
/// records of its runtime, and logs.
struct SessionRemains {
    private static let margin: Int64 = 600
    private static let day: Int64 = 86_400

    private let host: Host
    private let session: SessionReference
    private let times: CaptureTimes
    private let now = Instant.now()
    private let store: BytePath

    /// `store` is Quell's own folder, which is no evidence.
    init(_ host: Host, _ session: SessionReference, _ times: CaptureTimes, store: BytePath) {
        self.host = host
        self.store = store
        self.session = session
        self.times = times
    }

    /// Adds what is left of a session that runs. Declared transcripts are not taken twice.
    func fill(_ request: inout CaptureRequest, declared: [BytePath]) {
        let pins = request.subjects.filter { $0.membership != .guest }.map(\.pin)
        let first = [session.pin.leader].compactMap { $0 }
        let processes = first + pins.filter { !first.contains($0) }
        let files = ContainerFiles.of(session.pin, on: host)
        let container = files.flatMap { $0.isAttributed ? $0 : nil }
        let known = request.trees.filter { $0.role == .workspace && $0.inside == nil }.map(\.path)
        let roots = SessionRoots(of: processes, container: container, on: host, known: known, store: store)
        var lost: [PlannedTree] = []
        let homes = SessionHomes(on: host).of(processes, lost: &lost)
        request.container = files
        request.changes = roots.changes
        request.volumes = roots.volumes
        request.lacking = roots.lacking
        let transcripts = TranscriptSearch(on: host).trees(in: homes).filter { tree in
            tree.inside != nil || !declared.contains { tree.path.isAtOrBelow($0) }
        }
        // A folder that was found open is not taken again where the place is known.
        request.trees.removeAll { tree in
            tree.role == .transcripts && !declared.contains(tree.path)
                && transcripts.contains { $0.inside == nil && $0.leftOut == nil && $0.takes(tree.path) }
        }
        request.trees += transcripts + lost + roots.trees
        request.hostLogs = logs(window(from: start(of: processes)), container, homes)
    }

    /// Adds what is left of a session that has ended.
    ///
    /// - Throws: `changed` when a container runs by now.
    func fillEnded(_ request: inout CaptureRequest) throws(Failure) {
        if case .path(let path) = session.locator {
            request.ended = "nothing runs in a directory"
            request.trees.append(PlannedTree(name: "files", path: path, role: .workspace))
            request.hostLogs = logs(window(from: nil), nil, [])
            return
        }
        let found = try DeadSession.find(session.locator, on: host, by: Deadline(after: .seconds(10)))
        guard let dead = found.first else {
            throw Failure(
                .changed,
                "capture what is left of the session",
                on: "\(session.locator)",
                because: "it is no session that has ended any more",
                hint: "quell sessions"
            )
        }
        request.ended = "the session has ended"
        if let container = ContainerFiles.of(dead.locator) {
            let roots = SessionRoots(ofEnded: container)
            request.container = container
            request.trees += roots.trees
            request.changes = roots.changes
            request.hostLogs = logs(window(from: dead.made), container, [])
        } else {
            let files = dead.files.map { "; name \($0) with path: to take it as it is" } ?? ""
            request.changes = .notPossible("what a user's files name is not opened on the host\(files)")
            request.hostLogs = logs(window(from: dead.made), nil, [])
        }
    }

    private func logs(_ window: LogWindow, _ container: ContainerFiles?, _ homes: [SessionHome]) -> [PlannedLog] {
        let logs = HostLogs(in: window, on: host)
        return (container.map { logs.of($0) } ?? []) + logs.of(homes) + logs.ofTheHost()
    }

    private func window(from start: Instant?) -> LogWindow {
        let seconds = start == nil ? SessionRemains.day : SessionRemains.margin
        let usual = Instant(nanoseconds: (start ?? now).nanoseconds &- seconds * 1_000_000_000)
        return LogWindow(since: times.since ?? usual, until: times.until ?? now)
    }

    /// When the oldest of those processes began; ticks are counted from boot (proc_pid_stat(5)).
    private func start(of pins: [ProcessPin]) -> Instant? {
        let frequency = UInt64(clamping: sysconf(Int32(_SC_CLK_TCK)))
        guard let ticks = pins.map(\.startTicks).min(), frequency > 0 else { return nil }
        return BootClock.sampled().instant(atBootNanoseconds: ticks &* (1_000_000_000 / frequency))
    }
}

extension PlannedTree {
    /// Whether a folder lies in what is taken of it.
    fileprivate func takes(_ folder: BytePath) -> Bool {
        guard folder.isAtOrBelow(path) else { return false }
        let rest = folder.components.dropFirst(path.components.count)
        return has(rest.reduce(BytePath("")) { $0.appending($1) })
    }
}
