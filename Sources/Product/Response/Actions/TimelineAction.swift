public import Base
public import Engine
public import Bundles
public import Casework
import Sealing
public import Timeline

/// Tells one story from the newest capture of a session: what it was told, said and did, and what the host saw.
public struct TimelineAction: Action {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference

        /// Takes it.
        public init(session: SessionReference) { self.session = session }
    }

    /// What was pinned: the bundle.
    public struct Target: Sendable, Codable {
        let session: SessionReference
        let bundle: String?
    }

    /// The store is a copy of the evidence that can be made anew at any time.
    public enum Effect: Hashable, Sendable, Codable {
        /// The timeline of that bundle is written to the case's folder.
        case build(bundle: String)
    }

    /// What was told.
    public struct Output: Sendable, Codable {
        /// The file.
        public let path: BytePath
        /// How many events it has, bookkeeping aside.
        public let events: Int64
        /// Sources that were not read to their end, and why.
        public let gaps: [String]
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "timeline",
        summary: "build the timeline of a session's newest capture",
        nature: .reads,
        lane: .capture,
        deadline: .seconds(3600),
        inputs: [Field("session", .session, "whose")],
        outputs: [
            Field("path", .text, "where the timeline lies"), Field("events", .integer, "how many events it has"),
        ]
    )

    private let place: Workplace

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Finds the newest capture with the most in it that can be read from here.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let (capture, _) = try place.home.richestCapture { record in
            record.pins.contains { $0.isSameSession(as: input.session.pin) }
        }
        return Observation(
            target: Target(session: input.session, bundle: capture?.bundle),
            pins: [input.session.pin],
            decisions: ["build the timeline"]
        )
    }

    /// One file.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: seen.target.bundle.map { [.build(bundle: $0)] } ?? [])
    }

    /// Builds it into a new file that replaces the old one when it is whole.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        guard let name = plan.target.bundle else {
            throw Failure(
                .notFound,
                "build the timeline",
                on: place.home.id.text,
                because: "the case has no capture of this session",
                hint: "quell capture --case \(place.home.id)"
            )
        }
        if try !log.isDone(.build(bundle: name)) || !exists() {
            guard let record = try place.home.captures().first(where: { $0.bundle == name }) else {
                throw Failure(.changed, "build the timeline", on: name, because: "the case knows no such capture")
            }
            let keys = place.key.map { [$0.verifyingKey] } ?? []
            let bundle = try BundleJudge.verify(record, in: place.home, trusting: keys)
            try log.apply(.build(bundle: name)) { () throws(Failure) in
                _ = try CaseTimeline.build(bundle, for: place.home, by: scope.deadline)
            }
        }
        return try CaseTimeline.summary(try EventStore(opening: place.home.timeline))
    }

    private func exists() -> Bool {
        do throws(Failure) {
            _ = try EventStore(opening: place.home.timeline)
            return true
        } catch {
            return false
        }
    }

    /// The file names the bundle it was made from.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        guard case .build(let name) = effect else { return .cannotTell }
        do throws(Failure) {
            let made = try EventStore(opening: place.home.timeline).fact("bundle")
            return made == (try place.home.captures().first { $0.bundle == name }?.root.hex) ? .done : .notDone
        } catch {
            return .notDone
        }
    }

    /// Gaps make it partial.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        output.gaps.isEmpty ? .holds : .partly(output.gaps)
    }
}

/// Builds and sums up the timeline of a case.
public enum CaseTimeline {
    /// Builds it from a verified bundle and the case's journal as it stands. Logs that are not read by `deadline` are
    /// told as not read to their end.
    ///
    /// - Throws: `notVerified` when the bundle changed, `system` when the file cannot be written.
    public static func build(
        _ bundle: VerifiedBundle,
        for home: Case,
        by deadline: Deadline? = nil
    ) throws(Failure) -> EventStore {
        let worker = LogWorker(deadline: deadline)
        return try Timeline.build(from: bundle, journal: try home.journal.entries(), at: home.timeline) {
            (log, deliver) throws(Failure) in try worker.read(log, deliver)
        }
    }

    /// Builds it from a bundle alone, at a path of the caller's.
    ///
    /// - Throws: as ``build(_:for:)``.
    public static func build(_ bundle: VerifiedBundle, at path: BytePath) throws(Failure) -> EventStore {
        let worker = LogWorker()
        return try Timeline.build(from: bundle, at: path) { (log, deliver) throws(Failure) in
            try worker.read(log, deliver)
        }
    }

    static func summary(_ store: EventStore) throws(Failure) -> TimelineAction.Output {
        var gaps: [String] = []
        for source in try store.sources() where !source.coverage.isComplete {
            gaps.append("\(source.source.member): \(source.coverage.remark ?? "not read to its end")")
        }
        return TimelineAction.Output(path: store.path, events: try store.count(), gaps: gaps)
    }
}
