public import Base
public import Bundles
public import Casework
import Evidence
public import Sealing

/// Verifies bundles with everything that Quell knows: Bundles checks form, digests and seal, Casework the journal inside.
public enum BundleJudge {
    /// What is checked, trusting these keys. `fingerprint` is the one from the ticket, when there is one (RT19).
    public static func policy(trusting keys: [VerifyingKey], fingerprint: Digest? = nil) -> VerificationPolicy {
        VerificationPolicy(trusting: keys, fingerprint: fingerprint)
    }

    /// Verifies the bundle at `path`, its journal included.
    ///
    /// - Throws: `notVerified` with the first thing that is wrong (exit status 4), or why it cannot be read.
    public static func verify(
        _ path: BytePath,
        trusting keys: [VerifyingKey],
        fingerprint: Digest? = nil
    ) throws(Failure) -> VerifiedBundle {
        switch try judge(path, policy(trusting: keys, fingerprint: fingerprint)) {
        case .consistent(let bundle): return bundle
        case .wrong(let finding): throw finding.failure
        }
    }

    /// The same as a result, with everything that the policy says but its judge of the journal, which is Quell's own.
    ///
    /// - Throws: why it cannot be read.
    public static func judge(_ path: BytePath, _ policy: VerificationPolicy) throws(Failure) -> Verification {
        let keys = policy.trusted + policy.trust.sealingKeys
        var policy = policy
        policy.journal = { journal, checkpoint in finding(in: journal, at: checkpoint, trusting: keys) }
        let result = try UnverifiedBundle(at: path).verify(policy)
        guard case .consistent(let bundle) = result else { return result }
        if let finding = subjectFinding(bundle) ?? importFinding(bundle) { return .wrong(finding) }
        return result
    }

    /// Verifies a capture of a case from disk: it must be the very bundle that the case's journal recorded, whoever sealed
    /// it. Another one under its name, sealed by another key or by none, is not.
    ///
    /// - Throws: as ``verify(_:trusting:fingerprint:)``; `notVerified` when it is another bundle.
    public static func verify(
        _ record: CaptureRecord,
        in home: Case,
        trusting keys: [VerifyingKey]
    ) throws(Failure) -> VerifiedBundle {
        let place = try BundlePlace(of: record.bundle, in: home)
        guard let path = place.path else {
            throw Failure(
                .refused,
                "count the capture",
                on: record.bundle,
                because: "it went to \(place.words), where it cannot be read again from here"
            )
        }
        let bundle = try verify(path, trusting: keys)
        if bundle.statement.purpose == .imported, record.purpose != .foreign {
            throw Failure(
                .notVerified,
                "count the capture",
                on: record.bundle,
                because: "the bundle on disk was imported, not collected by Quell"
            )
        }
        guard bundle.root == record.root else {
            throw Failure(
                .notVerified,
                "count the capture",
                on: record.bundle,
                because: "the bundle on disk is not the one that was recorded"
            )
        }
        return bundle
    }

    /// What is wrong when the case has another bundle of that name, or of that number, whatever the bundle or its folder is
    /// called (RT31); `nil` when it has none, or this one.
    ///
    /// - Throws: why the case's journal cannot be read.
    public static func conflict(of bundle: VerifiedBundle, in home: Case) throws(Failure) -> VerificationFinding? {
        let statement = bundle.statement
        guard statement.purpose != .imported, statement.caseID == home.id.text else { return nil }
        for record in try home.captures() {
            let isSame = BundleShelf.number(of: record.bundle, in: home.id) == statement.number
            guard isSame || record.bundle == statement.name else { continue }
            if let finding = bundle.conflict(withRoot: record.root, in: "the case in the store") { return finding }
        }
        return nil
    }

    /// Walks the chain and compares its end with what the seal pins.
    private static func finding(
        in journal: [UInt8],
        at checkpoint: SealStatement.Checkpoint,
        trusting keys: [VerifyingKey]
    ) -> VerificationFinding? {
        func wrong(_ expected: String, _ found: String) -> VerificationFinding {
            VerificationFinding(.journal, in: "data/journal.jsonl", expected: expected, found: found)
        }
        guard let last = journal.split(separator: UInt8(ascii: "\n")).last else { return wrong("entries", "none") }
        do throws(Failure) {
            let end = try Entry(parsing: Array(last))
            guard end.sequence == checkpoint.sequence, end.digest == checkpoint.head else {
                return wrong(
                    "to end at entry \(checkpoint.sequence), \(checkpoint.head)",
                    "\(end.sequence), \(end.digest)"
                )
            }
            guard let origin = try origin(of: journal) else { return wrong("the opening of a case", "none") }
            let result = ExportedJournal.verify(journal, of: origin, keys: keys)
            guard let problem = result.problems.first else { return nil }
            return wrong("an unbroken chain", "entry \(problem.sequence): \(problem.text)")
        } catch {
            return wrong("entries in canonical form", error.description)
        }
    }

    /// The case that the journal says it is of.
    private static func origin(of journal: [UInt8]) throws(Failure) -> CaseID? {
        guard let first = journal.split(separator: UInt8(ascii: "\n"), maxSplits: 1).first else { return nil }
        return try Entry(parsing: Array(first)).meant.body["case"]?.string.flatMap { CaseID($0) }
    }

    /// What an imported bundle says of its original is about what it holds.
    private static func importFinding(_ bundle: VerifiedBundle) -> VerificationFinding? {
        do throws(Failure) {
            _ = try ImportRecord(of: bundle)
            return nil
        } catch {
            return VerificationFinding(
                .archive,
                in: ImportRecord.file,
                expected: "what was imported",
                found: error.reason
            )
        }
    }

    /// The case in the seal is the case of the journal.
    private static func subjectFinding(_ bundle: VerifiedBundle) -> VerificationFinding? {
        guard bundle.statement.checkpoint != nil else { return nil }
        do throws(Failure) {
            let journal = try bundle.bytes(of: try PayloadName("data/journal.jsonl"))
            let found = try origin(of: journal)?.text ?? "none"
            if found == bundle.statement.caseID { return nil }
            return VerificationFinding(
                .journal,
                in: "data/journal.jsonl",
                expected: "the journal of case \(bundle.statement.caseID)",
                found: "that of \(found)"
            )
        } catch {
            return VerificationFinding(.journal, in: "data/journal.jsonl", expected: "a journal", found: "\(error)")
        }
    }
}
