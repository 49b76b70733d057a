import Base
import Bundles
import Casework
import Containment
import Credentials
import Engine
import Response

/// What the output of a step says, a few lines for people. Everything foreign in it is escaped.
enum StepStory {
    /// The lines of one ended step; a step without output has none.
    static func lines(of result: StepResult) throws(Failure) -> [String] {
        guard result.output != nil else { return [] }
        switch result.action {
        case FreezeAction.descriptor.name: return freeze(try result.output(as: FreezeAction.Output.self).result)
        case IsolateAction.descriptor.name: return isolate(try result.output(as: IsolateAction.Output.self))
        case CaptureAction.descriptor.name: return capture(try result.output(as: CaptureAction.Output.self))
        case RevokeAction.descriptor.name: return revoke(try result.output(as: RevokeAction.Output.self))
        case TimelineAction.descriptor.name: return timeline(try result.output(as: TimelineAction.Output.self))
        default: return []
        }
    }

    private static func freeze(_ result: FreezeResult) -> [String] {
        let processes = Words.count(result.processes, "process", "processes")
        var lines = ["\(result.word.rawValue): \(processes), \(Words.count(result.threads, "thread", "threads"))"]
        if let frozen = result.times.frozen {
            lines.append("frozen after \(Words.span(frozen.since(result.times.began)))")
        }
        if let proven = result.times.proven {
            lines.append("proven after \(Words.span(proven.since(result.times.began)))")
        }
        for stray in result.strays where stray.isHeld {
            let marks = stray.marks.map(\.rawValue).joined(separator: ", ")
            lines.append("stray held: \(stray.process.pid) \(stray.name) (\(marks))")
        }
        for stray in result.listed {
            let marks = stray.marks.map(\.rawValue).joined(separator: ", ")
            lines.append("maybe: \(stray.process.pid) \(stray.name) (\(marks))")
        }
        for guest in result.guests { lines.append("guest: \(guest.process.pid) \(guest.name)") }
        return lines
    }

    private static func isolate(_ output: IsolateAction.Output) -> [String] {
        IsolationReport.lines(of: output.result)
    }

    private static func capture(_ output: CaptureAction.Output) -> [String] {
        let counts = output.counts
        var lines = ["\(output.sealed.profile.rawValue) bundle \(output.elsewhere?.words ?? "\(output.bundle)")"]
        if let elsewhere = output.elsewhere, elsewhere.path == nil {
            lines.append("it was not read back there: it does not count for a kill")
        }
        lines += [
            "root \(output.sealed.root)",
            "\(counts.planned) items: \(counts.collected) collected, \(counts.partial) partial, "
                + "\(counts.skipped) skipped, \(counts.failed) failed",
        ]
        return lines
    }

    private static func revoke(_ output: RevokeAction.Output) -> [String] {
        output.receipts.map(\.sentence)
    }

    private static func timeline(_ output: TimelineAction.Output) -> [String] {
        ["\(output.events) events in \(output.path)"]
    }
}
