public import Base
import Bundles
public import Evidence
public import Kernel
public import Sessions

/// What a capture of a session would take, before there is a case: nothing is written, and no content is read.
public struct CapturePlanning {
    private let host: Host
    private let inventory: Inventory
    private let store: BytePath

    /// `store` is Quell's own folder, which is no evidence.
    public init(on host: Host, _ inventory: Inventory, store: BytePath) {
        self.host = host
        self.inventory = inventory
        self.store = store
    }

    /// The plan, and why there is no workspace in it, when there is none.
    ///
    /// - Throws: `usage` for a profile that does not exist; `notFound` when the session is gone.
    public func plan(
        _ session: SessionReference,
        profile word: String,
        budget: UInt64?,
        since: String? = nil,
        until: String? = nil,
        memory: String? = nil
    ) throws(Failure) -> (plan: CapturePlan, lacking: String?) {
        let profile = try CaptureAction.profile(word)
        let agent = session.agent.flatMap { inventory.agent(named: $0) }
        let roots = CaptureRoots(of: session, agent, on: host, store: store)
        var request = CaptureRequest(
            profile: profile,
            locator: session.locator.argument,
            pins: session.pin.namesNothing ? [] : [session.pin],
            subjects: session.pin.namesNothing ? [] : try subjects(of: session),
            seal: nothing(of: session)
        )
        request.trees = try roots.trees(of: request.subjects)
        request.logs = agent?.logs ?? []
        let times = try CaptureTimes(since: since, until: until, now: Instant.now())
        let remains = SessionRemains(host, session, times, store: store)
        if session.pin.namesNothing {
            try remains.fillEnded(&request)
        } else if profile != .volatile {
            remains.fill(&request, declared: agent?.transcripts ?? [])
        }
        request.budget = budget
        request.memory = try MemoryWish.mode(memory, of: profile)
        return (CapturePlan(request, on: host), roots.missingWorkspace(request))
    }

    private func subjects(of session: SessionReference) throws(Failure) -> [CaptureSubject] {
        do throws(Failure) {
            let now = try SessionResolver(host: host).repin(session.pin, as: session.locator)
            return now.members.map { CaptureSubject(pin: $0.pin, membership: .member, marks: [$0.lineage.rawValue]) }
                + now.guests.map { CaptureSubject(pin: $0.pin, membership: .guest) }
        } catch {
            // Of a session whose processes have all ended files remain.
            guard error.code == .notFound else { throw error }
            return []
        }
    }

    /// A plan is never sealed.
    private func nothing(of session: SessionReference) -> SealParts {
        SealParts(
            name: "plan",
            caseID: "none",
            number: 1,
            purpose: .incident,
            freeze: nil,
            authority: nil,
            tool: SealStatement.Tool(version: "plan", digest: nil),
            responder: "",
            host: ""
        )
    }
}
