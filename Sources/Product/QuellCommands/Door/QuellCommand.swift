internal import ArgumentParser
import Base
import Glibc

/// A command of Quell: the parser's `run()` builds the real environment, ``run(in:telling:)`` does the work and is what
/// tests call (STYLE habit 3).
protocol QuellCommand: ParsableCommand {
    /// The options that every command has.
    var common: CommonOptions { get }

    /// Does the work.
    ///
    /// - Returns: how it ended.
    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome
}

extension QuellCommand {
    /// The words behind `quell` that call it, such as `case list`; `overview` for `quell` alone.
    static var words: String { CommandWords.of(Self.self, in: Quell.self)?.joined(separator: " ") ?? "overview" }

    /// Runs in the real world and ends the process with the outcome's status.
    func run() throws {
        leave(with: outcome(in: Environment.live()))
    }

    /// Runs, tells a failure, and gives the outcome.
    func outcome(in environment: Environment) -> Outcome {
        let teller = Teller(
            output: environment.output,
            errors: environment.errors,
            isQuiet: common.quiet,
            terminal: environment.terminal,
            command: { Self.words }
        )
        do throws(Failure) {
            let outcome = try run(in: environment, telling: teller)
            guard let failure = environment.output.failure else { return outcome }
            // The work is done, but a result that stands half in a file must not end like a whole one.
            teller.tell(failure)
            return outcome == .done ? .partial : outcome
        } catch {
            teller.tell(withStore(withSudoLine(error, environment), environment))
            if common.json {
                teller.document([
                    "outcome": .string("\(Outcome(error))"),
                    "exit": .integer(Int64(Outcome(error).rawValue)),
                    "failure": failureDocument(error),
                ])
            }
            return Outcome(error)
        }
    }

    private func failureDocument(_ failure: Failure) -> JSONValue {
        var object = JSONObject()
        object["code"] = .string(failure.code.rawValue)
        object["attempt"] = .string(failure.attempt)
        object["untrustedSubject"] = .string(failure.subject)
        object["untrustedReason"] = .string(failure.reason)
        object["hint"] = failure.hint.map { .string($0) }
        return .object(object)
    }

    /// A hint is for the store that was given; commands that need none take the option all the same.
    private func withStore(_ failure: Failure, _ environment: Environment) -> Failure {
        guard let store = common.store, let hint = failure.hint, hint.hasPrefix("quell "), !hint.contains("--store")
        else {
            return failure
        }
        return failure.hinting("\(hint) --store \(ShellWord.quoted(store))")
    }

    /// A refused right is answered with the exact line that has it (DESIGN section 4, status 77).
    private func withSudoLine(_ failure: Failure, _ environment: Environment) -> Failure {
        guard failure.code == .notPermitted, failure.hint == nil, environment.userID != 0 else { return failure }
        return failure.hinting(sudoLine)
    }
}

/// The command line of this process with the rights it lacks, ready to paste.
var sudoLine: String {
    var words = ["sudo", "quell"] + CommandLine.arguments.dropFirst().map(ShellWord.quoted)
    // sudo does not hand the variable on.
    if let store = getenv("QUELL_STORE").map({ String(cString: $0) }), !store.isEmpty, !words.contains("--store") {
        words += ["--store", ShellWord.quoted(store)]
    }
    return words.joined(separator: " ")
}

/// A word of a suggested command line, quoted so that a POSIX shell takes it as one word and runs nothing (RT14). Only
/// words the person typed are ever quoted; names of foreign origin never get here.
enum ShellWord {
    /// The word as it can be pasted.
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-_./:=,@+".utf8.contains(byte)
            }
        }
        if plain, !word.isEmpty { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
