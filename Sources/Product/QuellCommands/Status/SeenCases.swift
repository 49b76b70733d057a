import Base
import Casework

/// What can be seen of the open cases, and what cannot: a case that nobody can read may hold anything, so no verdict on
/// the whole may leave it out.
struct SeenCases {
    /// A case that cannot be read.
    struct Unreadable {
        let id: CaseID
        let failure: Failure
    }

    /// Those that can be read, by name.
    var cases: [Case] = []
    /// Those that were closed while they held a session, which they still may.
    var holding: [Case] = []
    /// Those that cannot.
    var unreadable: [Unreadable] = []
    /// Why there may be cases of which not even the name is known.
    var blindness: Failure?

    /// Whether everything was seen.
    var isWhole: Bool { unreadable.isEmpty && blindness == nil }

    /// For documents; reasons may be hostile.
    var document: JSONValue {
        var rows: [JSONValue] = unreadable.map { one in
            ["case": .string(one.id.text), "untrustedReason": .string(one.failure.reason)]
        }
        if let blindness { rows.append(["case": .null, "untrustedReason": .string(blindness.reason)]) }
        return .array(rows)
    }

    /// Why not everything was seen.
    var failures: [Failure] { unreadable.map(\.failure) + [blindness].compactMap { $0 } }

    /// Tells what cannot be seen, among the results.
    func tell(_ telling: Teller) {
        for one in unreadable {
            telling.result("case \(one.id) cannot be read: \(Escaped.terminal(one.failure.reason))")
        }
        if let blindness { telling.result("cases cannot be seen: \(Escaped.terminal(blindness.reason))") }
    }

    /// The same for people alone, with what to do about it.
    func warn(_ telling: Teller) {
        for failure in failures { telling.warnAbout(failure) }
    }
}

extension Workbench {
    /// Looks into every case of the store that is not closed, or was closed while it held something. One that was never born has nothing to tell.
    func seenCases() -> SeenCases {
        var seen = SeenCases()
        do throws(Failure) {
            for listed in try store.list() where !listed.isUnborn {
                switch listed.result {
                case .success(let home):
                    if listed.isHolding { seen.holding.append(home) }
                    if !listed.isClosed { seen.cases.append(home) }
                case .failure(let failure):
                    if !listed.isClosed { seen.unreadable.append(.init(id: listed.id, failure: failure)) }
                }
            }
            seen.blindness = try blindness()
        } catch {
            seen.blindness = environment.userID == 0 || error.hint != nil ? error : error.hinting(sudoLine)
        }
        return seen
    }

    /// Whoever is not root, and has no store of their own, sees nothing of the cases of root's store.
    private func blindness() throws(Failure) -> Failure? {
        guard environment.userID != 0, !store.exists else { return nil }
        return Failure(
            .notPermitted,
            "look for cases",
            on: "\(store.root)",
            because: "there is no such store, and that of root is not open to uid \(environment.userID)",
            hint: sudoLine
        )
    }

    /// The open cases; those that cannot be read are told and left out.
    func openCases(_ telling: Teller) -> [Case] {
        let seen = seenCases()
        seen.warn(telling)
        return seen.cases
    }
}
