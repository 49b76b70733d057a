import Base

/// Counts data/collection.jsonl: every planned item is one line with one outcome, the last line is their sum, and the
/// seal says the same.
struct CollectionCheck {
    static let file = "data/collection.jsonl"

    let payload: [PayloadRecord]
    let store: MemberStore

    func run(against sealed: SealStatement.Counts) throws(Problem) {
        guard sealed.addUp else { throw wrong(BundleFiles.seal, "planned items as the sum of outcomes", words(sealed)) }
        guard let record = payload.first(where: { $0.name.text == Self.file }) else {
            if sealed.planned == 0 { return }
            throw wrong(Self.file, "\(sealed.planned) planned items", "no such file")
        }
        let lines = try LineReader(record, in: store)
        var tally = SealStatement.Counts()
        var sum: SealStatement.Counts?
        var number = 0
        while let line = try lines.next() {
            number += 1
            if sum != nil { throw wrong("\(Self.file) line \(number)", "nothing behind the sum", "another line") }
            let value = try read(line, number)
            if value["item"]?.string == "sum" {
                sum = try counts(value, number)
            } else {
                try add(value["outcome"]?.string, to: &tally, number)
            }
        }
        guard let sum else { throw wrong(Self.file, "a last line with the sum", "none") }
        guard sum == tally else { throw wrong(Self.file, "the sum \(words(tally))", words(sum)) }
        guard sum == sealed else { throw wrong(Self.file, "\(words(sealed)) as the seal says", words(sum)) }
    }

    private func read(_ line: [UInt8], _ number: Int) throws(Problem) -> JSONValue {
        do {
            return try JSONReader.read(line, limits: .init(bytes: LineReader.longestLine, depth: 16))
        } catch {
            throw wrong("\(Self.file) line \(number)", "strict JSON", "\(error.subject): \(error.reason)")
        }
    }

    private func counts(_ value: JSONValue, _ number: Int) throws(Problem) -> SealStatement.Counts {
        do {
            return try JSONDecoding.decode(SealStatement.Counts.self, from: value)
        } catch {
            throw wrong("\(Self.file) line \(number)", "planned, collected, partial, skipped and failed", error.reason)
        }
    }

    private func add(_ outcome: String?, to tally: inout SealStatement.Counts, _ number: Int) throws(Problem) {
        switch outcome {
        case "collected": tally.collected += 1
        case "partial": tally.partial += 1
        case "skipped": tally.skipped += 1
        case "failed": tally.failed += 1
        default:
            let expected = "the outcome collected, partial, skipped or failed"
            throw wrong("\(Self.file) line \(number)", expected, outcome ?? "none")
        }
        tally.planned += 1
    }

    private func words(_ counts: SealStatement.Counts) -> String {
        "\(counts.planned) = \(counts.collected) collected + \(counts.partial) partial + \(counts.skipped) skipped"
            + " + \(counts.failed) failed"
    }

    private func wrong(_ file: String, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.collection, in: file, expected: expected, found: found))
    }
}
