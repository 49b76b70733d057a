import Base
import Bundles
import Casework
import Engine
import Kernel
import Playbooks
import Response
import Sealing
import Sessions

/// What a command that looks at sessions needs, opened once: the machine, the inventory, the store.
struct Workbench {
    let environment: Environment
    private(set) var store: CaseStore
    let host: Host

    /// Hardens the process and opens the machine. A store or key that cannot be used is told when a case is needed,
    /// because containment goes on without one (RT12).
    ///
    /// - Throws: when there is no procfs.
    init(_ environment: Environment, store chosen: String?, telling: Teller) throws(Failure) {
        self = try Workbench(withoutKey: environment, store: chosen).withKey(telling)
    }

    /// The same without the store's key, which takes a millisecond to read that a freeze has better use for.
    init(withoutKey environment: Environment, store chosen: String?) throws(Failure) {
        self.environment = environment
        host = try Host()
        _ = HardenedSelf.harden(on: host)
        let root = environment.storeDirectory(chosen)
        store = CaseStore(
            at: root,
            host: HostIdentity(machine: try HostIdentity.read().machine, bootID: host.bootID),
            key: nil,
            spools: Workbench.spools(of: root),
            announce: Workbench.announce
        )
    }

    /// With the key of the store, when it has one that can be used.
    func withKey(_ telling: Teller) -> Workbench {
        var bench = self
        do throws(Failure) {
            let key = try CaseStore.loadKey(in: store.root)
            bench.store = store.signing(with: key).anchored(by: SealAnchors.source(of: key))
        } catch {
            telling.warnAbout(error)
        }
        return bench
    }

    /// Repeats a signed checkpoint in the host's journal, where the owner of the store cannot change it (RT15).
    private static func announce(_ note: SignedNote) {
        let checkpoint = note.unverifiedCheckpoint
        SystemJournal().send([
            ("MESSAGE", "quell checkpoint \(checkpoint.origin) \(checkpoint.size) \(checkpoint.root)"),
            ("SYSLOG_IDENTIFIER", "quell"), ("PRIORITY", "5"), ("QUELL_CHECKPOINT", note.text),
        ])
    }

    /// Where emergency records of a store are kept until it answers again: a folder of its own for each store, so that a
    /// record never joins a case of another one.
    static func spools(of root: BytePath) -> BytePath {
        BytePath("/run/quell").appending(String(SHA256.digest(of: root.bytes).hex.prefix(16)))
    }

    /// Brings in what was recorded outside the store while it did not answer. Not for the freeze path.
    func mergeEmergencyRecords(_ telling: Teller) {
        do throws(Failure) {
            try store.mergeSpools(in: Workbench.spools(of: store.root))
        } catch {
            // Records of root's are nobody else's business.
            if error.code == .notFound || error.code == .notPermitted && environment.userID != 0 { return }
            telling.warnAbout(error)
        }
    }

    /// The declared agents: `agents.yaml` in the store, else /etc/quell/agents.yaml; none when there is no file.
    ///
    /// - Throws: `refused` when others can write the file (RT21), `malformed` with file, line and column.
    func inventory() throws(Failure) -> Inventory {
        for path in [store.root.appending("agents.yaml"), BytePath("/etc/quell/agents.yaml")] {
            do throws(Failure) {
                return try Inventory.read(path)
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return .empty
    }

    /// Resolves a locator once (RT35). The inventory is read only for names. With `pinsOnly` the members are left for later.
    func resolve(_ locator: String, for verb: String, pinsOnly: Bool = false) throws(Failure) -> Session {
        var resolver = SessionResolver(host: host, loading: inventory)
        resolver.pinsOnly = pinsOnly
        if verb == "freeze" { resolver.patience = .milliseconds(20) }
        return try resolver.resolve(try Locator(parsing: locator), for: verb)
    }

    /// A session of which no process is left, by the pid of its leader, as the case or the open cases know it: what Quell
    /// made for it can still be taken back. `nil` when none knows it in this life of the machine.
    func endedSession(_ locator: String, in named: String?, _ telling: Teller) throws(Failure) -> Session? {
        guard case .pid(let pid) = try Locator(parsing: locator) else { return nil }
        var cases: [Case] = []
        if let id = try environment.namedCase(named) {
            cases = [try store.open(id)]
        } else {
            cases = openCases(telling)
        }
        for home in cases.reversed() {
            for pin in try home.subjects().reversed() where pin.bootID == host.bootID && pin.leader?.pid == pid {
                return Session(
                    locator: .pid(pid),
                    pin: pin,
                    cgroups: [],
                    leader: nil,
                    members: [],
                    guests: [],
                    owner: nil
                )
            }
        }
        return nil
    }

    /// What is left on disk of a session that has ended: a directory, or a container of which nothing runs. It has no pin,
    /// so that no capture of it ever stands for a running session (RT16). `nil` when there is none.
    ///
    /// - Throws: `ambiguous` when several containers that have ended are meant.
    func leftSession(_ locator: String) throws(Failure) -> Session? {
        var wanted = try Locator(parsing: locator)
        var agent: AgentRecord?
        if case .agent(let name) = wanted, let record = try inventory().agent(named: name) {
            agent = record
            wanted = record.locator
        }
        if case .path = wanted { return left(wanted, agent) }
        let dead = try DeadSession.find(wanted, on: host, by: Deadline(after: .seconds(10)))
        guard dead.count <= 1 else {
            throw Failure(
                .ambiguous,
                "find the session",
                on: locator,
                because: "\(dead.count) containers that have ended have that name or id",
                hint: dead.filter(\.isPrintable).map { "quell capture \($0.locator)" }.joined(separator: "\n")
            )
        }
        return dead.first.map { left($0.locator, agent) }
    }

    private func left(_ locator: Locator, _ agent: AgentRecord?) -> Session {
        Session(
            locator: locator,
            pin: SessionPin(bootID: host.bootID, cgroups: [], leader: nil),
            cgroups: [],
            leader: nil,
            members: [],
            guests: [],
            owner: nil,
            agent: agent
        )
    }

    /// A session as actions take it.
    func reference(_ session: Session) throws(Failure) -> SessionReference {
        SessionReference(session, declaredIn: try inventory())
    }

    /// Whoever is not root and has no store is told what is missing, which is the right and not a store of their own.
    ///
    /// - Throws: `notPermitted`, which is answered with the line that has the right.
    func requireStore(for verb: String) throws(Failure) {
        guard environment.userID != 0, !store.exists else { return }
        throw Failure(
            .notPermitted,
            verb,
            on: "the session",
            because: "it needs root, and uid \(environment.userID) has no store of its own at \(store.root)"
        )
    }

    /// The case to act in: the named one, else the open one that holds the same pins, else a new one.
    ///
    /// - Throws: why the store cannot be used; `refused` when the named case is closed.
    func home(
        _ named: String?,
        about pins: [SessionPin],
        reason: String?,
        by actor: Responder
    ) throws(Failure) -> Case {
        if let id = try environment.namedCase(named) {
            let found = try store.open(id, toActOn: pins)
            try found.add(pins, by: actor)
            return found
        }
        return try unnamedHome(about: pins, reason: reason, by: actor)
    }

    /// The open case that holds the same pins, else a new one.
    private func unnamedHome(about pins: [SessionPin], reason: String?, by actor: Responder) throws(Failure) -> Case {
        if let joined = try store.join(pins) { return joined }
        return try store.create(about: pins, reason: reason ?? "", by: actor)
    }

    /// The same for containment, which a wrong name does not hold up (RT12): a case that does not exist or is closed is
    /// told to `refused`, and the record goes where it would have gone without a name.
    func home(
        forContaining named: String?,
        about pins: [SessionPin],
        reason: String?,
        by actor: Responder,
        refused: (Failure) -> Void
    ) throws(Failure) -> Case {
        do throws(Failure) {
            return try home(named, about: pins, reason: reason, by: actor)
        } catch {
            guard try environment.namedCase(named) != nil, error.code == .notFound || error.code == .refused else {
                throw error
            }
            let home = try unnamedHome(about: pins, reason: reason, by: actor)
            refused(error)
            return home
        }
    }

    /// Where the actions of a case work.
    func workplace(_ home: Case, by actor: Responder, authority: String? = nil) throws(Failure) -> Workplace {
        var place = Workplace(
            host: host,
            home: home,
            inventory: try inventory(),
            key: store.key,
            responder: actor,
            authority: authority,
            version: Version.number
        )
        let root = store.root
        place.recipients = { () throws(Failure) in try RecipientFiles.standing(in: root) }
        return place
    }

    /// Who has to approve what, for an action that is asked for under the name `stated` or the one this host knows. Read
    /// when the first action that may need it comes to its turn.
    func approvals(asking stated: String?) -> Approvals {
        let files = AuthorityFiles(folders: [BytePath("/etc/quell"), store.root])
        var names: [String] = []
        for name in [environment.responder(stated).name, environment.responder(nil).name] where !names.contains(name) {
            names.append(name)
        }
        return Approvals(requester: names) { () throws(Failure) in
            try files.read(actions: KnownActions(ActionCatalogue.descriptors))
        }
    }

    /// Verifies a capture of the case again before it counts (RT16).
    func reverifier(of home: Case) -> @Sendable (CaptureRecord) throws(Failure) -> Void {
        let keys = store.key.map { [$0.verifyingKey] } ?? []
        return { record throws(Failure) in _ = try BundleJudge.verify(record, in: home, trusting: keys) }
    }
}
