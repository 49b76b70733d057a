public import Base
public import Bundles
public import Casework
import Containment
public import Engine
import Evidence
import Kernel
import Sealing
import Sessions
import Synchronization

/// Preserves a session as a sealed evidence bundle in the case.
public struct CaptureAction: Action {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference
        /// `volatile`, `standard`, which is the default, or `full`.
        public var profile: String?
        /// Bytes that the capture may take before compression; no bound by default.
        public var budget: UInt64?
        /// From when on logs of the host are taken: RFC 3339, or `30m`, `2h`, `3d` ago; ten minutes before the session
        /// began by default.
        public var since: String?
        /// Until when; now by default.
        public var until: String?
        /// `all`, `dirty` or `none`; what the profile says by default.
        public var memory: String?
        /// Whether memory may stand in the bundle as it is, for everybody who has it.
        public var plainMemory: Bool?
        /// Seconds after which what is there is sealed; six hours by default.
        public var maxSeconds: Int64?
        /// Bytes of content that may be read in a second; no bound by default.
        public var rate: UInt64?

        /// Takes all parts.
        public init(
            session: SessionReference,
            profile: String? = nil,
            budget: UInt64? = nil,
            since: String? = nil,
            until: String? = nil,
            memory: String? = nil,
            plainMemory: Bool? = nil,
            maxSeconds: Int64? = nil,
            rate: UInt64? = nil
        ) {
            self.session = session
            self.profile = profile
            self.budget = budget
            self.since = since
            self.until = until
            self.memory = memory
            self.plainMemory = plainMemory
            self.maxSeconds = maxSeconds
            self.rate = rate
        }
    }

    /// What was pinned.
    public struct Target: Sendable, Codable {
        let session: SessionReference
        let profile: CaptureProfile
        let budget: UInt64?
        var times = CaptureTimes()
        let memory: MemoryMode
        var maxSeconds: Int64?
        var rate: UInt64?
    }

    /// The one thing that a capture does to the world.
    public enum Effect: Hashable, Sendable, Codable {
        /// A bundle of that name is sealed in the case's folder.
        case seal(bundle: String)
        /// A bundle of that name is sealed where it goes while it is made: there, in words.
        case send(bundle: String, to: String)

        /// The bundle's name.
        var bundle: String {
            switch self {
            case .seal(let bundle), .send(let bundle, _): bundle
            }
        }
    }

    /// What was sealed.
    public struct Output: Sendable, Codable, Engine.SealedCapture {
        /// What the journal will know of it.
        public let sealed: CaptureRecord
        /// Where it lies, in the words of the place when this host cannot read it there.
        public let bundle: BytePath
        /// Items planned and how they ended.
        public let counts: SealStatement.Counts
        /// The first things that are not, or not whole, in it.
        public let shortfalls: [String]
        /// What broke the stillness between freeze and seal; empty when nothing did.
        public let breaks: [String]
        /// Where it was sent while it was made; `nil`: it is in the case.
        public var elsewhere: BundlePlace?
        /// Why it ended early; `nil` when it did not.
        public var stopped: String?

        /// As the gate finds it.
        public var capture: CaptureRecord? { sealed }
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "capture",
        summary: "preserve a session as a sealed evidence bundle",
        nature: .reads,
        lane: .capture,
        deadline: .seconds(longest),
        inputs: [
            Field("session", .session, "whose"),
            Field("profile", .text, isRequired: false, choices: CaptureProfile.allCases.map(\.rawValue), "how much"),
            Field("budget", .integer, isRequired: false, "bytes that may be taken before compression"),
            Field("since", .text, isRequired: false, "from when on logs of the host are taken"),
            Field("until", .text, isRequired: false, "until when"),
            Field("memory", .text, isRequired: false, choices: MemoryMode.allCases.map(\.rawValue), "which pages"),
            Field("plainMemory", .flag, isRequired: false, "memory may stand in the bundle unencrypted"),
            Field("maxSeconds", .integer, isRequired: false, "seconds after which what is there is sealed"),
            Field("rate", .integer, isRequired: false, "bytes that may be read in a second"),
        ],
        outputs: [Field("bundle", .text, "where the bundle lies"), Field("sealed", .object, "what was sealed")]
    )

    private let place: Workplace
    /// By the root digest; not of bundles that another process sealed, which are read back without it.
    private let written = Keeper()

    private final class Keeper: Sendable {
        let sums = Mutex<[Digest: WrittenSums]>([:])
    }

    /// Works at `place`.
    public init(_ place: Workplace) { self.place = place }

    /// Resolves the session again by its pins; one whose processes have all ended can still be captured from disk.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let profile = try CaptureAction.profile(input.profile ?? "standard")
        let memory = try MemoryWish(input, profile).mode(for: place.recipients)
        _ = try place.agent(of: input.session)
        try CaptureAction.checkLimits(input)
        return Observation(
            target: Target(
                session: input.session,
                profile: profile,
                budget: input.budget,
                times: try CaptureTimes(since: input.since, until: input.until, now: Instant.now()),
                memory: memory,
                maxSeconds: input.maxSeconds,
                rate: input.rate
            ),
            pins: input.session.pin.namesNothing ? [] : [input.session.pin],
            decisions: [
                "capture \(profile.rawValue) of \(input.session.locator)"
                    + (memory == .nothing ? "" : ", memory \(memory.rawValue)")
            ]
        )
    }

    /// Seconds that a capture may take at most: its deadline.
    public static let longest: Int64 = 6 * 3600

    /// - Throws: `usage` for a time or a rate at which nothing could be read, or a time that is longer than a capture's.
    private static func checkLimits(_ input: Input) throws(Failure) {
        if let seconds = input.maxSeconds, !(1...longest).contains(seconds) {
            let reason = "\(seconds) seconds are not between 1 and \(longest), what a capture may take at most"
            throw Failure(.usage, "capture", on: "the time it may take", because: reason)
        }
        if input.rate == 0 {
            throw Failure(.usage, "capture", on: "its rate", because: "at 0 bytes a second nothing is ever read")
        }
    }

    /// The profile of that name.
    ///
    /// - Throws: `usage` when there is none.
    static func profile(_ word: String) throws(Failure) -> CaptureProfile {
        if let profile = CaptureProfile(rawValue: word) { return profile }
        throw Failure(
            .usage,
            "capture",
            on: word,
            because: "no such profile",
            hint: "profiles are \(CaptureProfile.allCases.map(\.rawValue).joined(separator: ", "))"
        )
    }

    /// The name of the bundle is chosen when it is written.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: [])
    }

    /// Writes and seals the bundle, or takes the one that an earlier attempt of this step sealed.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        let shelf = BundleShelf(place.home)
        for name in try shelf.unrecorded() where try log.isDone(.seal(bundle: name)) {
            return try output(of: try shelf.verified(name, key: place.key), plan.target)
        }
        if let sent = try sentBefore(plan.target, log) { return sent }
        let number = try shelf.reserve()
        var isReserved = true
        defer { if isReserved { shelf.release(number) } }
        let name = shelf.name(number)
        let draft = try CaptureDraft(place, plan.target.session, number: number, name: name)
        let target = plan.target
        var request = try draft.request(target.profile, budget: target.budget, times: target.times)
        request.memory = target.memory
        let elsewhere = place.destination.map { BundlePlace($0, name) }
        if let destination = place.destination { request.volumeSize = destination.volumeSize }
        let missing = draft.missingWorkspace(request)
        let control = CaptureControl(
            report: { scope.progress.report($0.phase, $0.bytes, $0.expectedBytes ?? 0) },
            isCancelled: { scope.cancellation.isCancelled },
            deadline: min(scope.deadline, target.maxSeconds.map { Deadline(after: .seconds($0)) } ?? scope.deadline),
            rate: target.rate
        )
        var sealed: Evidence.SealedCapture?
        let effect = elsewhere.map { Effect.send(bundle: name, to: $0.words) } ?? .seal(bundle: name)
        try log.apply(effect) { () throws(Failure) in
            // The outcome is written next, perhaps to a disk that this capture filled.
            defer {
                shelf.release(number)
                isReserved = false
            }
            let acquisition = Acquisition(request, on: place.host, control: control)
            if let destination = place.destination, let elsewhere {
                // Nothing is to be sent twice under one name: what is taken up after a crash is what was noted here.
                try elsewhere.note(name, in: place.home)
                let outlet = try destination.open(name, spool: place.home.bundles) { control.isToStop }
                sealed = try acquisition.capture(to: outlet, sealedWith: place.key)
            } else {
                sealed = try acquisition.capture(to: shelf.path(name), sealedWith: place.key)
            }
        }
        guard let sealed else {
            throw Failure(.changed, "capture", on: name, because: "a bundle of that name was sealed meanwhile")
        }
        let (root, sums) = (sealed.rootDigest, sealed.sums)
        written.sums.withLock { $0[root] = sums }
        return try Output(sealed, name, plan.target, at: elsewhere, lacking: missing)
    }

    /// The bundle that an earlier attempt of this step sealed elsewhere, when this host can read it there.
    private func sentBefore(_ target: Target, _ log: EffectLog<Effect>) throws(Failure) -> Output? {
        let shelf = BundleShelf(place.home)
        for name in try shelf.unrecordedElsewhere() {
            guard let sent = try BundlePlace.noted(name, in: place.home), let path = sent.path,
                try log.isDone(.send(bundle: name, to: sent.words))
            else { continue }
            let bundle = try shelf.verified(name, at: path, key: place.key)
            var output = try output(of: bundle, target, at: path)
            output.elsewhere = sent
            return output
        }
        return nil
    }

    /// What a crash left of the account are its sums: only when they say that everything is there does the bundle count
    /// as complete (RT16), because a class that was cancelled or cut looks the same as one that policy skipped.
    private func output(
        of bundle: VerifiedBundle,
        _ target: Target,
        at path: BytePath? = nil
    ) throws(Failure) -> Output {
        let statement = bundle.statement
        let counts = statement.counts
        let missing = counts.planned - counts.collected - (try CollectionItem.notAsked(in: bundle))
        return Output(
            sealed: CaptureRecord(
                bundle: statement.name,
                root: bundle.root,
                pins: statement.pins,
                profile: target.profile.record,
                isComplete: missing == 0 && counts.collected > 0
            ),
            bundle: path ?? place.home.bundles.appending(statement.name),
            counts: counts,
            shortfalls: missing == 0 ? [] : ["\(missing) of \(counts.planned) items are not whole, see the account"],
            breaks: statement.freeze?.breaks ?? []
        )
    }

    /// A sealed bundle of that name verifies, and is our own: what else stands at its destination is not this effect.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        let name = effect.bundle
        let shelf = BundleShelf(place.home)
        if case .send = effect {
            // Without a note nothing was sent: it is on disk before the first byte leaves.
            guard let sent = try BundlePlace.noted(name, in: place.home) else { return .notDone }
            guard let path = sent.path else { return .cannotTell }
            do throws(Failure) {
                _ = try shelf.verified(name, at: path, key: place.key)
                return .done
            } catch {
                return .notDone
            }
        }
        guard try shelf.names().contains(name) else { return .notDone }
        do throws(Failure) {
            _ = try shelf.verified(name, key: place.key)
            return .done
        } catch {
            // What a crash left unsealed stays where it is, under a number that is not given again.
            return .notDone
        }
    }

    /// Reads the bundle back from disk, where this host can: every file is the one that was sealed. The gate looks into it
    /// before it counts.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict {
        let sealed = output.sealed
        let lies = try BundlePlace(of: sealed.bundle, in: place.home)
        if let path = lies.path {
            let sums = written.sums.withLock { $0.removeValue(forKey: sealed.root) }
            try BundleShelf.readBack(path, sealedAs: sealed.root, key: place.key, comparing: sums)
        }
        let reasons = [output.stopped].compactMap { $0 } + output.shortfalls + output.breaks
        return output.sealed.isComplete && reasons.isEmpty ? .holds : .partly(reasons)
    }
}

extension CaptureProfile {
    /// The same in the terms of the journal.
    var record: CaptureRecord.Profile {
        switch self {
        case .volatile: .volatile
        case .standard: .standard
        case .full: .full
        }
    }
}

extension CaptureAction.Output {
    fileprivate init(
        _ sealed: Evidence.SealedCapture,
        _ name: String,
        _ target: CaptureAction.Target,
        at elsewhere: BundlePlace?,
        lacking remark: String?
    ) throws(Failure) {
        self.init(
            sealed: CaptureRecord(
                bundle: name,
                root: sealed.rootDigest,
                pins: sealed.pins,
                profile: target.profile.record,
                isComplete: sealed.hasRequiredClasses,
                times: sealed.stillness.times
            ),
            bundle: elsewhere.map { $0.path ?? BytePath($0.words) } ?? sealed.path,
            counts: sealed.counts,
            shortfalls: sealed.shortfalls.map { "\($0)" } + [remark].compactMap { $0 },
            breaks: sealed.stillness.breaks,
            elsewhere: elsewhere,
            stopped: sealed.stopped
        )
    }
}
