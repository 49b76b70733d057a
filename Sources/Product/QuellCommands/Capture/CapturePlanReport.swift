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
    /// Seconds after which it would be sealed with what is there; `nil` sets no bound.
    var seconds: Int64?
    /// Bytes that it would read in a second at most; `nil` sets no bound.
    var rate: UInt64?
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
                ([path] + [entry.objection, entry.remark].compactMap { $0.map { "(\(Escaped.terminal($0)))" } })
                    .filter { !$0.isEmpty }.joined(separator: " "),
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
        let rates = "rates        \(bytes) and \(CaptureRates.objectsPerSecond) objects in a second; + means at least"
        var bounds: [String] = []
        if let rate {
            let whole = Duration.milliseconds(Int64(clamping: plan.total.bytes / max(1, rate / 1000)))
            bounds.append("at \(Words.bytes(rate)) a second reading alone takes \(Words.age(whole))")
        }
        if let seconds { bounds.append("what is there after \(Words.age(.seconds(seconds))) is sealed") }
        return [rates] + (bounds.isEmpty ? [] : ["bounds       " + bounds.joined(separator: "; ")])
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
            "maxSeconds": seconds.map(JSONValue.integer) ?? .null,
            "rateBytesPerSecond": rate.map { .string(String($0)) } ?? .null,
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
        line["remark"] = entry.remark.map(JSONValue.string)
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

    /// What was chosen beside the session, as a command has it.
    private var chosen: String {
        var words = profile == "standard" ? "" : " --profile \(ShellWord.quoted(profile))"
        for (name, value) in [
            ("case", options.effect.case), ("since", since), ("until", until), ("memory", memory), ("to", onward.to),
            ("identity", onward.route.identity), ("agent", onward.route.agent),
            ("known-hosts", onward.route.knownHosts), ("port", onward.route.port.map { "\($0)" }),
        ] {
            if let value { words += " --\(name) \(ShellWord.quoted(value))" }
        }
        for certificate in onward.recipient { words += " --recipient \(ShellWord.quoted(certificate))" }
        if plainMemory { words += " --plain-memory" }
        if let store = common.store { words += " --store \(ShellWord.quoted(store))" }
        return words + limits.words
    }

    /// Resolves the session and tells the plan; no case is opened.
    func tellPlan(in environment: Environment, _ telling: Teller) throws(Failure) -> Outcome {
        let (seconds, rate) = (try limits.seconds(), try limits.bytesPerSecond())
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
            seconds: seconds,
            rate: rate,
            next: session.commandWord.map { "quell capture \($0)" + chosen }
        )
        if common.json { telling.document(report.document) } else { report.tell(telling) }
        return .done
    }
}
