import Base
import Casework

/// The step that asks for a permit.
struct Asker: Hashable {
    let run: String
    let step: String
}

/// Promise 2: nothing is altered or destroyed before evidence is on record (RT16). It reads the verified journal, never a
/// caller's word.
struct Gate: Sendable {
    let home: Case
    let reverify: @Sendable (CaptureRecord) throws(Failure) -> Void

    /// A permit for `descriptor` on `pins`.
    ///
    /// - Throws: `notVerified` when the journal does not hold, `refused` with the reason why the newest capture does not
    ///   count, when no earlier one does either, and the command that makes one.
    func permit(
        _ descriptor: ActionDescriptor,
        rule: EvidenceRule,
        on pins: [SessionPin],
        for asker: Asker
    ) throws(Failure) -> Permit {
        switch rule {
        case .none: return Permit(.notNeeded)
        case .stateInIntents: return Permit(.stateInIntents)
        case .capture(let profile):
            let journal = try home.journal.verify().verified(of: home.id)
            if let waiver = try waiver(for: descriptor, on: pins, in: asker.run, journal) {
                return Permit(.waiver(waiver))
            }
            let holds = HoldHistory(journal, leavingOut: asker)
            return Permit(.capture(try capture(for: descriptor, atLeast: profile, on: pins, holds, journal)))
        }
    }

    private func waiver(
        for descriptor: ActionDescriptor,
        on pins: [SessionPin],
        in run: String,
        _ journal: VerifiedJournal
    ) throws(Failure) -> Waiver? {
        for entry in journal.entries where entry.kind == .waiver && entry.run == run {
            let waiver = try JSONDecoding.decode(Waiver.self, from: entry.body)
            if waiver.action == descriptor.name, pins.areCovered(by: waiver.pins) { return waiver }
        }
        return nil
    }

    private func capture(
        for descriptor: ActionDescriptor,
        atLeast profile: CaptureRecord.Profile,
        on pins: [SessionPin],
        _ holds: HoldHistory,
        _ journal: VerifiedJournal
    ) throws(Failure) -> CaptureRecord {
        var reason = "no capture of this session is on record"
        var isNewest = true
        for entry in journal.entries.reversed() where entry.meant.kind == .note {
            guard entry.meant.body["topic"]?.string == "capture", let value = entry.meant.body["capture"] else {
                continue
            }
            let record = try JSONDecoding.decode(CaptureRecord.self, from: value)
            guard let objection = objection(to: record, entry, atLeast: profile, on: pins, holds) else { return record }
            // Whoever is refused wants to know it of the newest one of this session.
            guard isNewest else { continue }
            reason = "capture \(record.bundle) does not count: \(objection)"
            isNewest = !pins.areCovered(by: record.pins)
        }
        throw Failure(
            .refused,
            descriptor.name,
            on: pins.first?.cgroups.first.map { String(decoding: $0.path.bytes, as: UTF8.self) } ?? "the session",
            because: "\(reason); --waive with a reason goes on without",
            hint: capture(of: pins, profile)
        )
    }

    /// The command that makes a capture that counts, of ids only (RT14); without a leader the one that shows the case.
    private func capture(of pins: [SessionPin], _ profile: CaptureRecord.Profile) -> String {
        guard let leader = pins.lazy.compactMap(\.leader).first else { return "quell status \(home.id)" }
        let how = profile == .standard ? "" : " --profile \(profile.rawValue)"
        return "quell capture pid:\(leader.pid)\(how) --case \(home.id)"
    }

    /// Why `record` does not count; `nil` when it does.
    private func objection(
        to record: CaptureRecord,
        _ entry: Entry,
        atLeast profile: CaptureRecord.Profile,
        on pins: [SessionPin],
        _ holds: HoldHistory
    ) -> String? {
        if pins.isEmpty { return "the action names no session" }
        if !pins.areCovered(by: record.pins) { return "it is of another session" }
        switch record.purpose {
        case .incident: break
        case .drill: return "it is of a drill"
        case .foreign: return "it was imported"
        }
        if record.profile < profile { return "it is \(record.profile.rawValue), not \(profile.rawValue)" }
        if !record.isComplete { return "a required class was not collected" }
        let begun = holds.beginning(of: entry)
        for pin in pins {
            guard let frozen = holds.frozenSince(pin) else { return "the session is not frozen" }
            if begun < frozen { return "it was begun before the freeze that is in force" }
        }
        do { try reverify(record) } catch { return "it does not verify: \(error.reason)" }
        return nil
    }
}

extension [SessionPin] {
    /// Whether each is one of `others`.
    fileprivate func areCovered(by others: [SessionPin]) -> Bool {
        !isEmpty && allSatisfy { pin in others.contains { $0.isSameSession(as: pin) } }
    }
}

/// Which freezes are in force, from the journal. Order is by the monotonic clock at which things were written down, so
/// that entries brought in late stand where they happened; pins hold the boot id, so the clock never started anew between.
private struct HoldHistory {
    private struct Change {
        let pins: [SessionPin]
        let moment: Int64
        let begins: Bool
    }

    private var changes: [Change] = []
    private var starts: [Asker: Int64] = [:]

    /// What the asking step itself did in an earlier attempt does not speak against it.
    init(_ journal: VerifiedJournal, leavingOut asker: Asker) {
        var ending: [Asker: [SessionPin]] = [:]
        let undone = HoldHistory.withoutEffect(journal)
        for entry in journal.entries {
            let meant = entry.meant
            guard let run = meant.run, let step = meant.step else { continue }
            let key = Asker(run: run, step: step)
            switch (meant.kind, meant.body["topic"]?.string) {
            case (.note, "step-started"):
                if starts[key] == nil { starts[key] = meant.monotonicMicroseconds }
                ending[key] = meant.hold == .ends ? meant.pins : nil
            case (.intent, _):
                guard let pins = ending[key], let number = meant.body["effect"]?.integer else { continue }
                if key == asker || undone.contains(EffectKey(step: key, number: number)) { continue }
                changes.append(Change(pins: pins, moment: meant.monotonicMicroseconds, begins: false))
            case (.note, "step-ended"):
                let state = meant.body["state"]?.string.flatMap(StepState.init(rawValue:))
                guard meant.hold == .begins, state?.isEnough == true else { continue }
                changes.append(Change(pins: meant.pins, moment: meant.monotonicMicroseconds, begins: true))
            default: continue
            }
        }
        changes.sort { $0.moment < $1.moment }
    }

    private struct EffectKey: Hashable {
        let step: Asker
        let number: Int64
    }

    /// Effects whose outcome says that nothing happened.
    private static func withoutEffect(_ journal: VerifiedJournal) -> Set<EffectKey> {
        var found: Set<EffectKey> = []
        for meant in journal.entries.lazy.map(\.meant) where meant.kind == .outcome {
            guard let run = meant.run, let step = meant.step, let number = meant.body["effect"]?.integer,
                meant.body["state"]?.string == EffectState.notDone.rawValue
            else { continue }
            found.insert(EffectKey(step: Asker(run: run, step: step), number: number))
        }
        return found
    }

    /// Since when `pin` is frozen without a break; `nil` when it is not.
    func frozenSince(_ pin: SessionPin) -> Int64? {
        var since: Int64?
        for change in changes where change.pins.contains(where: { $0.isSameSession(as: pin) }) {
            if !change.begins { since = nil } else if since == nil { since = change.moment }
        }
        return since
    }

    /// When the step that made the entry began; the entry's own time when no step made it.
    func beginning(of entry: Entry) -> Int64 {
        let meant = entry.meant
        guard let run = meant.run, let step = meant.step, let start = starts[Asker(run: run, step: step)] else {
            return meant.monotonicMicroseconds
        }
        return start
    }
}

extension EntryDraft {
    fileprivate var hold: HoldChange? { body["hold"]?.string.flatMap(HoldChange.init(rawValue:)) }

    fileprivate var pins: [SessionPin] {
        guard let value = body["pins"] else { return [] }
        do { return try JSONDecoding.decode([SessionPin].self, from: value) } catch { return [] }
    }
}
