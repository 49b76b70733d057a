internal import ArgumentParser
import Base
import Casework
import Engine
import Kernel
import Response

/// `quell guard CASE`: hidden; `quell isolate --lease` starts it and leaves it behind. It tells when a lease is overdue,
/// and ends when no cut with a lease stands any more. It never gives anything back (RT2).
struct Guard: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "guard",
        abstract: "Tell when the lease of a cut of this case is overdue.",
        shouldDisplay: false
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String

    /// Starts one that outlives this process.
    ///
    /// - Throws: why it cannot be started.
    static func start(for home: Case, in store: BytePath) throws(Failure) {
        let words = ["guard", home.id.text, "--quiet", "--store"].map { BytePath($0) } + [store]
        try DetachedProcess.start(.thisProgram, words)
    }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(environment, store: common.store, telling: telling)
        let home = try bench.store.open(try environment.requiredCase(id))
        let lock: RunLock
        do throws(Failure) {
            lock = try home.lock(run: "guard", to: "guard the leases")
        } catch {
            // One is enough: it reads the journal again each time.
            guard error.code == .refused else { throw error }
            return .done
        }
        defer { lock.release() }
        Interruption.listen()
        var leases = LeaseGuard(home, on: bench.host) { text in
            telling.warn(text)
            SystemJournal().send([
                ("MESSAGE", "quell: \(text)"), ("SYSLOG_IDENTIFIER", "quell"), ("PRIORITY", "3"),
                ("QUELL_CASE", home.id.text),
            ])
        }
        while let pause = try leases.look() {
            if Interruption.cancellation.wait(until: Deadline(after: pause)) { return .cancelled }
        }
        return .done
    }
}
