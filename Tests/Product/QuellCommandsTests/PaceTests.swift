import Base
import Engine
import Synchronization
import Testing

@testable import QuellCommands

@Suite("how far a long work is")
struct PaceTests {
    @Test("a bar has what is done, the rate and the time that is left; without a sum it has no bar")
    func words() {
        var pace = Pace()
        let second: UInt64 = 1_000_000_000
        let first = pace.read(done: 0, of: 100 << 20, at: second)
        #expect(first.text(within: 100) == "[------------] 0 B of 100.0 MiB")
        #expect(
            pace.read(done: 25 << 20, of: 100 << 20, at: 2 * second).text(within: 100)
                == "[###---------] 25.0 MiB of 100.0 MiB, 25.0 MiB/s, 3 s left"
        )
        #expect(
            pace.read(done: 25 << 20, of: 100 << 20, at: 3 * second).text(within: 100)
                == "[###---------] 25.0 MiB of 100.0 MiB, 17.5 MiB/s, 5 s left"
        )
        #expect(pace.read(done: 26 << 20, of: 0, at: 4 * second).text(within: 100) == "26.0 MiB, 12.5 MiB/s")
        // More was there than was counted before: the bar is full, and nothing is promised.
        #expect(
            pace.read(done: 30 << 20, of: 28 << 20, at: 5 * second).text(within: 100)
                == "[############] 30.0 MiB of 28.0 MiB, 10.0 MiB/s"
        )
    }

    @Test("a line never wraps: without room there is no bar, then not all words")
    func narrow() {
        let reading = Pace.Reading(bar: "[##--]", words: "1.0 MiB of 2.0 MiB")
        #expect(reading.text(within: 25) == "[##--] 1.0 MiB of 2.0 MiB")
        #expect(reading.text(within: 24) == "1.0 MiB of 2.0 MiB")
        #expect(reading.text(within: 7) == "1.0 MiB")
        #expect(reading.text(within: -3) == "")
    }

    @Test("a bar is drawn on a terminal, and nothing on a pipe", arguments: [true, false])
    func drawn(onTerminal: Bool) {
        let errors = Collected()
        let telling = Teller(
            output: Sink { _ in },
            errors: errors.sink,
            isQuiet: false,
            terminal: Terminal(isInteractive: onTerminal, hasColour: false, columns: 100),
            command: { "capture" }
        )
        let teller = RunTeller(telling)
        teller.take(.progress(step: "capture", phase: "workspace", done: 1 << 20, total: 4 << 20))
        teller.end()
        teller.end()
        if onTerminal {
            let line = "capture   workspace: [###---------] 1.0 MiB of 4.0 MiB"
            #expect(errors.text == "\r\u{1B}[K\(line)\r\u{1B}[K", "drawn once, and taken away once")
        } else {
            #expect(errors.text.isEmpty)
        }
    }
}

private final class Collected: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
    var sink: Sink { Sink { [self] more in bytes.withLock { $0 += more } } }
}
