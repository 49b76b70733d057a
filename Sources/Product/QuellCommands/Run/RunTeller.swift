import Base
import Engine
import Synchronization

/// Tells what a run does while it goes on: a line for each step that starts and ends, and on a terminal one line of
/// progress that is drawn at most twice a second.
final class RunTeller: Sendable {
    private struct State {
        var drawn: UInt64 = 0
        var hasProgress = false
        var paces: [String: Pace] = [:]
    }

    private let telling: Teller
    private let begun = Deadline.monotonicNow()
    private let state = Mutex(State())

    init(_ telling: Teller) { self.telling = telling }

    /// Takes one event; called on the threads of the steps.
    func take(_ event: RunEvent) {
        state.withLock { state in
            switch event {
            case .started(let step, let action):
                clear(&state)
                telling.say("\(stamp)  \(padded(step))  \(action) ...")
            case .progress(let step, let phase, let done, let total): draw(step, phase, done, total, &state)
            case .ended(let result):
                clear(&state)
                state.paces[result.step] = nil
                tell(result)
            }
        }
    }

    /// Takes the line of progress away, when one stands there.
    func end() { state.withLock { clear(&$0) } }

    private func tell(_ result: StepResult) {
        let word = result.state.rawValue
        let drawn = result.state == .succeeded ? telling.terminal.good(word) : telling.terminal.bad(word)
        telling.say("\(stamp)  \(padded(result.step))  \(drawn)")
        do throws(Failure) {
            for line in try StepStory.lines(of: result) { telling.say("\(margin)\(line)") }
        } catch {
            telling.warnAbout(error)
        }
        for reason in result.reasons {
            telling.say("\(margin)\(telling.terminal.bad("!")) \(Escaped.terminal(reason))")
        }
    }

    private func draw(_ step: String, _ phase: String, _ done: UInt64, _ total: UInt64, _ state: inout State) {
        guard telling.terminal.isInteractive, !telling.isQuiet else { return }
        let now = Deadline.monotonicNow()
        guard now - state.drawn > 500_000_000 else { return }
        state.drawn = now
        state.hasProgress = true
        let front = "\(padded(step))  \(phase): "
        // A line that wraps could not be drawn over.
        let room = telling.terminal.columns - 1 - front.count
        let text = state.paces[step, default: Pace()].read(done: done, of: total, at: now).text(within: room)
        telling.errors.bytes(Array("\r\u{1B}[K\(front)\(text)".utf8))
    }

    private func clear(_ state: inout State) {
        guard state.hasProgress else { return }
        state.hasProgress = false
        telling.errors.bytes(Array("\r\u{1B}[K".utf8))
    }

    /// Seconds since the run began, with milliseconds.
    private var stamp: String {
        let milliseconds = (Deadline.monotonicNow() - begun) / 1_000_000
        let fraction = String(milliseconds % 1000)
        let text = "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
        return String(repeating: " ", count: max(0, 8 - text.count)) + text
    }

    private var margin: String { String(repeating: " ", count: 20) }

    private func padded(_ text: String) -> String {
        text + String(repeating: " ", count: max(0, 8 - text.count))
    }
}
