internal import ArgumentParser
import Base
import Casework
import Engine
import Glibc

/// Which request is meant, when several wait.
struct ApprovalChoice: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The run, when several wait.", valueName: "run")) var run: String?
    @Option(name: .long, help: ArgumentHelp("The step, when several of the run wait.", valueName: "step"))
    var step: String?

    /// The one that is open.
    ///
    /// - Throws: `notFound`, or `ambiguous` with what to give.
    func request(at desk: ApprovalDesk, of home: Case) throws(Failure) -> ApprovalStanding {
        let found = try desk.open().map(\.request).filter { request in
            (run == nil || request.run == run) && (step == nil || request.step == step)
        }
        let subject = run ?? home.id.text
        guard let first = found.first else {
            throw Failure(
                .notFound,
                "find what waits for approval",
                on: subject,
                because: "nothing does",
                hint: "quell status \(home.id)"
            )
        }
        guard found.count == 1 else {
            let words = found.map { "step \($0.step) of run \($0.run)" }.joined(separator: ", ")
            throw Failure(
                .ambiguous,
                "find what waits for approval",
                on: subject,
                because: "several do: \(words)",
                hint: "give --run \(first.run) --step \(first.step)"
            )
        }
        for standing in try desk.open() where standing.request == first { return standing }
        throw Failure(.changed, "find what waits for approval", on: subject, because: "it ended meanwhile")
    }
}

/// What somebody hands over on standard input.
enum StandardInput {
    /// All of it, to its end.
    ///
    /// - Throws: `malformed` for more than `limit` bytes.
    static func read(limit: Int, to attempt: String) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(0, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(errno: errno, attempt, on: BytePath("standard input")) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= limit else {
                throw Failure(.malformed, attempt, on: "standard input", because: "it has more than \(limit) bytes")
            }
        }
    }
}
