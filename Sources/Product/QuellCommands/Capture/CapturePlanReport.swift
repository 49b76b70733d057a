import Base
import Casework
import Evidence
import Response
import Sessions

/// What `quell capture --plan` tells: each item in the order in which it would be taken, and what that would cost.
struct CapturePlanReport {
    let locator: String
    let plan: CapturePlan
    /// Why there is no workspace, when there is none.
    let lacking: String?
    /// Where it would go.
    let destination: DestinationForecast
    /// The command that does it.
    let next: String?

    /// The result, then a table for people.
    func tell(_ telling: Teller) {
        let count = Words.count(plan.entries.count, "item", "items")
        telling.result("plan: capture \(plan.profile.rawValue) of \(locator): \(count); nothing was read or written")
        for line in lines { telling.say(line) }
        if let next { telling.say("next         \(next)") }
    }

    /// The table, its sum and the budget.
    var lines: [String] {
        var rows = [["", "item", "objects", "bytes", "time", "path"]]
        for (index, entry) in plan.entries.enumerated() {
            let path = entry.path.map { "\($0)" } ?? ""
            let isTaken = entry.share != "none"
            rows.append([
                String(index + 1), entry.name, isTaken ? objects(entry.amount) : "-",
                isTaken ? bytes(entry.amount) : "-", isTaken ? time(entry.nanoseconds) : "-",
                [path, entry.objection.map { "(\(Escaped.terminal($0)))" } ?? ""].filter { !$0.isEmpty }
                    .joined(separator: " "),
            ])
        }
        rows.append(["", "all", objects(plan.total), bytes(plan.total), time(plan.nanoseconds), ""])
        return table(rows) + budgetLines + rateLines + destination.lines(for: plan.total.bytes)
            + [lacking].compactMap { $0 }.map {
                "not planned  \(Escaped.terminal($0))"
            }
    }

    private var budgetLines: [String] {
        guard let budget = plan.budget else { return ["budget       none: everything is taken"] }
        let shares = plan.shares.map { "\($0.name) \(Words.bytes($0.bytes ?? 0))" }.joined(separator: ", ")
        return ["budget       \(Words.bytes(budget)), reserved: \(shares)"]
    }

    private var rateLines: [String] {
        let bytes = Words.bytes(CaptureRates.bytesPerSecond)
        return ["rates        \(bytes) and \(CaptureRates.objectsPerSecond) objects in a second; + means at least"]
    }

    private func objects(_ amount: CaptureAmount) -> String { "\(amount.objects)\(amount.isAtLeast ? "+" : "")" }
    private func bytes(_ amount: CaptureAmount) -> String {
        Words.bytes(amount.bytes) + (amount.isAtLeast ? "+" : "")
    }
    private func time(_ nanoseconds: UInt64) -> String {
        Words.span(.nanoseconds(Int64(clamping: nanoseconds)))
    }

    private func table(_ rows: [[String]]) -> [String] {
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = (0..<5).map { column in
                let gap = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 1 ? row[column] + gap : gap + row[column]
            }
            var line = (cells + [row[5]]).joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// The same for programs. Paths are the session's.
    var document: JSONValue {
        [
            "plan": true,
            "profile": .string(plan.profile.rawValue),
            "items": .array(plan.entries.map(value)),
            "budgetBytes": plan.budget.map { .string(String($0)) } ?? .null,
            "shares": .array(
                plan.shares.map { share in
                    [
                        "name": .string(share.name), "percent": .integer(Int64(share.percent)),
                        "bytes": share.bytes.map { .string(String($0)) } ?? .null,
                        "wantedBytes": .string(String(share.wanted)),
                    ]
                }
            ),
            "objects": .string(String(plan.total.objects)),
            "bytes": .string(String(plan.total.bytes)),
            "atLeast": .bool(plan.total.isAtLeast),
            "milliseconds": .integer(Int64(clamping: plan.nanoseconds / 1_000_000)),
            "rates": [
                "bytesPerSecond": .integer(Int64(CaptureRates.bytesPerSecond)),
                "objectsPerSecond": .integer(Int64(CaptureRates.objectsPerSecond)),
                "processesPerSecond": .integer(Int64(CaptureRates.processesPerSecond)),
            ],
            "destination": destination.document,
            "untrustedLacking": lacking.map(JSONValue.string) ?? .null,
        ]
    }

    private func value(of entry: CapturePlan.Entry) -> JSONValue {
        var line = JSONObject()
        line["item"] = .string(entry.item)
        line["name"] = .string(entry.name)
        line["untrustedPath"] = entry.path.map { path in
            path.text.map(JSONValue.string) ?? ["bytes": .string(Base64.encode(path.bytes))]
        }
        line["share"] = .string(entry.share)
        line["objects"] = .string(String(entry.amount.objects))
        line["bytes"] = .string(String(entry.amount.bytes))
        line["atLeast"] = .bool(entry.amount.isAtLeast)
        line["milliseconds"] = .integer(Int64(clamping: entry.nanoseconds / 1_000_000))
        line["untrustedObjection"] = entry.objection.map(JSONValue.string)
        return .object(line)
    }
}

extension Capture {
    private func planned(_ bench: Workbench) throws(Failure) -> Session {
        do throws(Failure) {
            return try bench.resolve(options.locator, for: "capture")
        } catch {
            guard error.code == .notFound, let left = try bench.leftSession(options.locator) else { throw error }
            return left
        }
    }

    /// Resolves the session and tells the plan; no case is opened.
    func tellPlan(in environment: Environment, _ telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(withoutKey: environment, store: common.store)
        let session = try planned(bench)
        let planning = CapturePlanning(on: bench.host, try bench.inventory(), store: bench.store.root)
        let (plan, lacking) = try planning.plan(
            try bench.reference(session),
            profile: profile,
            budget: budget,
            since: since,
            until: until,
            memory: memory
        )
        let report = CapturePlanReport(
            locator: "\(session.locator)",
            plan: plan,
            lacking: lacking,
            destination: DestinationForecast(try onward.destination(in: environment), store: bench.store.root),
            next: session.commandWord.map { "quell capture \($0)" + onward.words }
        )
        if common.json { telling.document(report.document) } else { report.tell(telling) }
        return .done
    }
}
