internal import ArgumentParser
import Base
import Casework
import Documents
import Engine
import Sealing

/// `quell approve`.
struct Approve: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve",
        abstract: "Hand in the signature of somebody who approves what a run waits for.",
        discussion: """
            policy.yaml says what needs whose approval, trust.yaml whose key is whose: in /etc/quell, else in the store. \
            The text that a waiting run printed, and that --show prints again, is signed where the key is, by \
            `ssh-keygen -Y sign -n quell-approval -f KEY FILE`; the signature is handed in here, from a file or standard \
            input. It counts for that one step of that run and no other, until it expires; persons are counted, not keys. \
            Refused (exit 5): a signature over anything else, by nobody whom the trust file named, by who asked, or a \
            second one of the same person.

            In one line from where the key is:
              ssh HOST quell approve CASE --show | ssh-keygen -Y sign -n quell-approval -f KEY | ssh HOST quell approve CASE
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The case.", valueName: "case")) var id: String
    @Argument(help: ArgumentHelp("The signature (default: standard input).", valueName: "file")) var file: String?
    @Flag(name: .long, help: "Print the text to sign, exactly, and stop.") var show = false
    @OptionGroup var choice: ApprovalChoice
    @Option(name: .customLong("as"), help: ArgumentHelp("Who hands it in.", valueName: "name")) var actor: String?

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let home = try environment.store(common.store).open(try environment.requiredCase(id))
        let desk = ApprovalDesk(home)
        if show {
            let standing = try choice.request(at: desk, of: home)
            if common.json {
                telling.document(["case": .string(home.id.text), "request": ApprovalNotice.document(standing)])
            } else {
                telling.output.bytes(Array(standing.request.text.utf8))
            }
            return .done
        }
        let path = file.flatMap { $0 == "-" ? nil : $0 } ?? "/dev/stdin"
        let signature = try Approve.signature(at: environment.absolute(BytePath(path)))
        let standing = try desk.approve(signature, by: environment.responder(actor))
        if common.json {
            telling.document(["case": .string(home.id.text), "request": ApprovalNotice.document(standing)])
            return .done
        }
        let request = standing.request
        let name = standing.approvers.last ?? ""
        telling.result("approved by \(name): run \(request.run), step \(request.step)")
        if standing.missing.isEmpty {
            telling.say("next         quell resume \(home.id)")
        } else {
            telling.say("waiting      for \(standing.missing.joined(separator: " and "))")
        }
        return .done
    }

    private static func signature(at path: BytePath) throws(Failure) -> [UInt8] {
        guard path == BytePath("/dev/stdin") else {
            return try TrustedFile.readExplicit(path, limit: SSHSignature.sizeLimit, to: "read the signature")
        }
        return try StandardInput.read(limit: SSHSignature.sizeLimit, to: "read the signature")
    }
}
