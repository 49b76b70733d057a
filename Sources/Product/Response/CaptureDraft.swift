import Base
import Bundles
import Casework
import Containment
import Evidence
import Glibc
import Kernel
import Sealing
import Sessions

/// Everything that a capture needs to know about a session, gathered from its pins, the inventory and the journal.
struct CaptureDraft {
    private let place: Workplace
    private let session: SessionReference
    private let number: Int
    private let name: String
    private let held: HeldSession
    private let agent: AgentRecord?

    init(_ place: Workplace, _ session: SessionReference, number: Int, name: String) throws(Failure) {
        self.place = place
        self.session = session
        self.number = number
        self.name = name
        held = try HeldSession(of: session.pin, in: place.home, on: place.host)
        agent = try place.agent(of: session)
    }

    func request(
        _ profile: CaptureProfile,
        budget: UInt64?,
        times: CaptureTimes = CaptureTimes()
    ) throws(Failure) -> CaptureRequest {
        var request = CaptureRequest(
            profile: profile,
            locator: session.locator.argument,
            pins: session.pin.namesNothing ? [] : [session.pin],
            subjects: session.pin.namesNothing ? [] : try subjects(),
            seal: try sealParts()
        )
        request.frozenCgroups = held.frozenGroups
        request.trees = try roots.trees(of: request.subjects)
        request.logs = agent?.logs ?? []
        let remains = SessionRemains(place.host, session, times, store: store)
        if session.pin.namesNothing {
            try remains.fillEnded(&request)
        } else if profile != .volatile {
            remains.fill(&request, declared: agent?.transcripts ?? [])
        }
        if let freeze = held.lastFreeze { request.containment = try JSONEncoding.value(of: freeze) }
        request.journal = { [home = place.home] () throws(Failure) in try CaptureDraft.journal(of: home) }
        request.budget = budget
        request.recipients = try place.recipients()
        return request
    }

    /// Members of now, then what the freeze held and what it found beside it. A session whose processes have all ended
    /// has none, which is no error: files remain.
    private func subjects() throws(Failure) -> [CaptureSubject] {
        var subjects: [CaptureSubject] = []
        var known = Set<ProcessPin>()
        func add(_ pin: ProcessPin, _ membership: CaptureSubject.Membership, _ marks: [String] = []) {
            if known.insert(pin).inserted {
                subjects.append(CaptureSubject(pin: pin, membership: membership, marks: marks))
            }
        }
        for stray in held.lastFreeze?.strays ?? [] { add(stray.process, .stray, stray.marks.map(\.rawValue)) }
        for guest in held.lastFreeze?.guests ?? [] { add(guest.process, .guest) }
        do throws(Failure) {
            let now = try SessionResolver(host: place.host).repin(session.pin, as: session.locator)
            for member in now.members { add(member.pin, .member, [member.lineage.rawValue]) }
            for guest in now.guests { add(guest.pin, .guest) }
        } catch {
            guard error.code == .notFound else { throw error }
        }
        for pin in held.members { add(pin, .member) }
        return subjects
    }

    private var roots: CaptureRoots {
        CaptureRoots(of: session, agent, on: place.host, store: store)
    }

    private var store: BytePath { place.home.folder.parent.parent }

    /// Why there is no workspace in the capture; `nil` when there is one or none is asked for.
    func missingWorkspace(_ request: CaptureRequest) -> String? { roots.missingWorkspace(request) }

    private func sealParts() throws(Failure) -> SealParts {
        SealParts(
            name: name,
            caseID: place.home.id.text,
            number: number,
            purpose: .incident,
            freeze: held.lastFreeze.map { FreezeProof(confirmed: $0.times.proven, processes: $0.processes) },
            authority: place.authority,
            tool: SealStatement.Tool(version: place.version, digest: try CaptureDraft.ownDigest()),
            responder: place.responder.name,
            host: try CaptureDraft.hostName()
        )
    }

    /// The journal up to now; an entry that comes later is not in the bundle.
    private static func journal(of home: Case) throws(Failure) -> JournalExtract? {
        let lines = try home.journal.export()
        guard let last = lines.split(separator: UInt8(ascii: "\n")).last else { return nil }
        let entry = try Entry(parsing: Array(last))
        return JournalExtract(
            lines: lines,
            checkpoint: SealStatement.Checkpoint(
                sequence: entry.sequence,
                head: entry.digest,
                note: try home.journal.lastCheckpoint()?.text
            )
        )
    }

    /// SHA-256 of the executable that runs, /proc/self/exe.
    static func ownDigest() throws(Failure) -> Digest? {
        let path = BytePath("/proc/self/exe")
        let file = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
        guard file >= 0 else { throw Failure(errno: errno, "read Quell's own executable", on: path) }
        defer { close(file) }
        var hasher = Hasher()
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(errno: errno, "read Quell's own executable", on: path) }
            if count == 0 { return hasher.finish() }
            buffer.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    static func hostName() throws(Failure) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else {
            throw Failure(errno: errno, "read the name of the host", on: BytePath("gethostname"))
        }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
