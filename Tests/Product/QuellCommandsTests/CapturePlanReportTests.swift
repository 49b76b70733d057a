import Base
import Testing

@testable import Evidence
@testable import QuellCommands
@testable import Response

@Suite("what is told of a plan of a capture")
struct CapturePlanReportTests {
    private func entry(
        _ name: String,
        _ amount: CaptureAmount,
        path: BytePath? = nil,
        share: String,
        milliseconds: UInt64,
        objection: String? = nil
    ) -> CapturePlan.Entry {
        CapturePlan.Entry(
            item: name,
            name: name,
            path: path,
            share: share,
            amount: amount,
            nanoseconds: milliseconds * 1_000_000,
            objection: objection
        )
    }

    private var plan: CapturePlan {
        CapturePlan(
            profile: .standard,
            entries: [
                entry(
                    "processes",
                    CaptureAmount(objects: 2, bytes: 32_768, isAtLeast: true),
                    share: "volatile",
                    milliseconds: 5
                ),
                entry(
                    "workspace",
                    CaptureAmount(objects: 12_000, bytes: 1 << 30),
                    path: BytePath("/work/\u{1b}[2J"),
                    share: "workspace",
                    milliseconds: 9500,
                    objection: "partial: the budget of its share, workspace, is not enough"
                ),
                entry(
                    "log",
                    CaptureAmount(),
                    path: BytePath("/l"),
                    share: "none",
                    milliseconds: 0,
                    objection: "skipped: x"
                ),
            ],
            shares: [CapturePlan.Share(name: "workspace", percent: 30, bytes: 300, wanted: 1 << 30)],
            budget: 1000,
            total: CaptureAmount(objects: 12_002, bytes: 1 << 30, isAtLeast: true),
            nanoseconds: 9_505_000_000
        )
    }

    private var away: DestinationForecast { DestinationForecast(place: "/mnt/CASE-N", room: 1 << 20, counts: true) }

    @Test("what goes where it is not read back from is said to count for no kill, and no room is made up")
    func destination() throws {
        let pipe = try CaptureDestination("-") { $0 }
        let forecast = DestinationForecast(pipe, store: BytePath("/store"))
        #expect(
            forecast.lines(for: 1 << 40)
                == ["goes to      standard output; not read back from here, so it counts for no kill"]
        )
        #expect(forecast.document["freeBytes"] == .null && forecast.document["countsForKill"] == false)
        let remote = try CaptureDestination("sftp:me@host:/in") { $0 }
        #expect(DestinationForecast(remote, store: BytePath("/store")).place == "me@host:/in/CASE-N")
        let here = DestinationForecast(try CaptureDestination("/") { $0 }, store: BytePath("/store"))
        #expect(here.place == "/CASE-N" && here.counts && here.room != nil)
        #expect(DestinationForecast(nil, store: BytePath("/")).place == "its case in /")
    }

    @Test("the table is aligned, says what is skipped and why, and escapes what a session named")
    func table() {
        let lines = CapturePlanReport(
            locator: "pid:7",
            plan: plan,
            lacking: "no workspace",
            destination: away,
            next: nil
        )
        .lines
        let expected = [
            "   item       objects      bytes       time  path",
            "1  processes       2+  32.0 KiB+     5.0 ms",
            "2  workspace    12000    1.0 GiB  9500.0 ms  \(BytePath("/work/\u{1b}[2J")) "
                + "(partial: the budget of its share, workspace, is not enough)",
            "3  log              -          -          -  /l (skipped: x)",
            "   all         12002+   1.0 GiB+  9505.0 ms",
            "budget       1000 B, reserved: workspace 300 B",
            "rates        114.4 MiB and 20000 objects in a second; + means at least",
            "goes to      /mnt/CASE-N, 1.0 MiB free",
            "             may not fit before it is compressed: what fits is sealed as partial",
            "not planned  no workspace",
        ]
        #expect(lines == expected, "\(lines.joined(separator: "\n"))")
        #expect(!lines.joined().contains("\u{1b}"))
    }

    @Test("the document has every item in order, numbers of bytes as text, and what may be hostile under its keys")
    func document() {
        let document = CapturePlanReport(locator: "pid:7", plan: plan, lacking: nil, destination: away, next: nil)
            .document
        let items = document["items"]?.array ?? []
        #expect(items.map { $0["name"] } == ["processes", "workspace", "log"])
        #expect(items[1]["bytes"] == "1073741824" && items[0]["atLeast"] == true)
        #expect(items[1]["untrustedPath"] == "/work/\u{1b}[2J")
        #expect(items[2]["untrustedObjection"] == "skipped: x")
        #expect(document["atLeast"] == true && document["milliseconds"] == 9505 && document["budgetBytes"] == "1000")
        #expect(document["destination"]?["place"] == "/mnt/CASE-N")
        #expect(document["destination"]?["freeBytes"] == "1048576")
    }
}
