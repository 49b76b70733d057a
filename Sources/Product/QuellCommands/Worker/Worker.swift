internal import ArgumentParser
import Base
import Glibc
import Kernel
import Logs

/// `quell worker`: hidden; parses hostile bytes without privileges, descriptors in, records out.
struct Worker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Parse hostile bytes without privileges.",
        shouldDisplay: false,
        subcommands: [WorkerLogsCommand.self]
    )
}

/// `quell worker logs FORMAT`: reads descriptor 0, a regular file, and writes records to descriptor 1.
struct WorkerLogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Read the log on descriptor 0 and write its records to descriptor 1.",
        shouldDisplay: false
    )

    @Argument(help: "The format.") var format: String

    func run() throws {
        guard let format = RecordFormat(format) else { throw ExitCode(Outcome.usage.rawValue) }
        do throws(Failure) {
            try WorkerSandbox.enter()
            try WorkerLogs.run(input: 0, output: 1, format: format)
        } catch {
            throw ExitCode(Outcome(error).rawValue)
        }
    }
}
