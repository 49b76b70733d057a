import Base
import Sealing

/// Walks a chain from its origin, entry by entry, and remembers all that does not fit.
struct ChainWalk {
    private let caseID: CaseID
    private let keys: [VerifyingKey]
    private let notes: [SignedNote]
    private let anchors: AnchorLook
    private var entries: [Entry] = []
    private var head: JournalHead
    private var digests: [Digest] = []
    private var checkpoints = 0
    private var signedSize: UInt64 = 0
    private var problems: [JournalVerification.Problem] = []
    /// The first outcome that waits for its checkpoint.
    private var unsigned: UInt64?
    /// The first outcome that did not get one in its own commit.
    private var firstUnsigned: UInt64?

    init(of caseID: CaseID, keys: [VerifyingKey], notes: [SignedNote], anchors: AnchorLook) {
        self.caseID = caseID
        self.keys = keys
        self.notes = notes
        self.anchors = anchors
        head = JournalHead(origin: caseID)
    }

    /// Takes a stored row: its columns have to say what its line says.
    mutating func take(_ row: JournalRow) {
        guard let entry = take(row.line) else { return }
        let agrees =
            row.sequence == Int64(entry.sequence) && row.topic == entry.meantTopic && row.run == entry.run
            && row.digest == entry.digest.hex
        if !agrees { report(entry.sequence, "entry \(entry.sequence) was altered: its row and its text differ") }
    }

    /// Takes a line as it was exported.
    @discardableResult
    mutating func take(_ line: [UInt8]) -> Entry? {
        let entry: Entry
        do {
            entry = try Entry(parsing: line)
        } catch {
            let place = head.size + 1
            report(place, "entry \(place) was altered: it is \(error.reason)")
            head = JournalHead(size: place, digest: SHA256.digest(of: line))
            digests.append(head.digest)
            return nil
        }
        checkOrder(entry)
        if entry.kind == .checkpoint { checkInner(entry) } else { checkSigning(entry) }
        entries.append(entry)
        digests.append(entry.digest)
        head = JournalHead(size: entry.sequence, digest: entry.digest)
        return entry
    }

    private mutating func checkOrder(_ entry: Entry) {
        let expected = head.size + 1
        if entry.sequence != expected {
            report(entry.sequence, "entry \(expected) is missing: entry \(entry.sequence) stands in its place")
        } else if entry.previous != head.digest {
            let before = head.size == 0 ? "the start of case \(caseID)" : "entry \(head.size)"
            report(head.size, "\(before) was altered: entry \(entry.sequence) names another digest of it")
        }
    }

    /// A checkpoint among the entries signs the entry before it.
    private mutating func checkInner(_ entry: Entry) {
        guard let text = entry.body["note"]?.string else {
            return report(entry.sequence, "entry \(entry.sequence) is a checkpoint without a note")
        }
        do {
            let note = try SignedNote(parsing: text)
            if note.unverifiedCheckpoint.size != head.size {
                return report(entry.sequence, "entry \(entry.sequence) is a checkpoint of another place")
            }
            if try isTrue(note, root: head.digest, seen: "entry \(entry.sequence)") {
                checkpoints += 1
                signedSize = entry.sequence
                unsigned = nil
            }
        } catch {
            report(entry.sequence, "entry \(entry.sequence) is a checkpoint that does not hold: \(error.reason)")
        }
    }

    /// What begins a commit of its own must not come between an outcome and its checkpoint.
    private mutating func checkSigning(_ entry: Entry) {
        if entry.beginsCommit { firstUnsigned = firstUnsigned ?? unsigned }
        if entry.isAnchor { unsigned = unsigned ?? entry.sequence }
    }

    /// Whether the note is by a trusted key. Without any key its claim is still compared.
    private mutating func isTrue(_ note: SignedNote, root: Digest, seen place: String) throws(Failure) -> Bool {
        let claim = note.unverifiedCheckpoint
        guard claim.origin == caseID.origin else {
            report(claim.size, "\(place) is a checkpoint of \(claim.origin), not of this case")
            return false
        }
        guard claim.root == root else {
            report(claim.size, "entries up to \(claim.size) were rewritten: \(place) signed another digest")
            return false
        }
        guard !keys.isEmpty else { return false }
        for key in keys {
            do {
                _ = try note.verify(with: key)
                return true
            } catch { continue }
        }
        report(claim.size, "\(place) is a checkpoint that no trusted key signed")
        return false
    }

    /// Compares the heads that others tell.
    private mutating func compareAnchors() {
        let size = head.size
        for anchor in anchors.anchors where anchor.size > 0 {
            if anchor.size > size {
                report(
                    size,
                    "the last entries were removed: \(anchor.place) tells of \(anchor.size), only \(size) are here"
                )
            } else if anchor.size <= UInt64(digests.count), digests[Int(anchor.size) - 1] != anchor.head {
                report(anchor.size, "entries up to \(anchor.size) were rewritten: \(anchor.place) tells of others")
            }
        }
    }

    /// Compares the notes seen elsewhere and gives the result.
    consuming func end() -> JournalVerification {
        let size = head.size
        compareAnchors()
        for note in notes {
            let claim = note.unverifiedCheckpoint
            guard claim.size <= size, claim.size > 0 else {
                report(
                    size,
                    "the last entries were removed: a checkpoint signed \(claim.size), only \(size) are here"
                )
                continue
            }
            guard claim.size <= UInt64(digests.count) else { continue }
            let root = digests[Int(claim.size) - 1]
            do {
                if try isTrue(note, root: root, seen: "a checkpoint kept elsewhere") {
                    signedSize = max(signedSize, claim.size)
                }
            } catch { report(claim.size, error.reason) }
        }
        return JournalVerification(
            firstUnsigned: firstUnsigned ?? unsigned,
            entries: entries,
            head: head.digest,
            checkpoints: checkpoints,
            unsignedTail: entries.filter { $0.sequence > signedSize },
            problems: problems,
            unread: anchors.unread
        )
    }

    private mutating func report(_ sequence: UInt64, _ text: String) {
        problems.append(.init(sequence: sequence, text: text))
    }
}
