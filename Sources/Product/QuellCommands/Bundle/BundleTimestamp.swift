internal import ArgumentParser
import Base
import Bundles
import Documents
import Glibc
import Kernel
import Sealing

/// `quell bundle timestamp`.
struct BundleTimestamp: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "timestamp",
        abstract: "Have an authority say when a bundle was sealed at the latest (RFC 3161).",
        discussion: """
            The authority gets a digest of the seal's signature and nothing else. With --tsa it is asked over the network; \
            without a network --request writes the question to a file, somebody has it answered elsewhere, and --response \
            adds the answer. Until then the timestamp is pending, and verify never ends with 0. Asking uses /usr/bin/curl \
            with an empty environment: https, or http on this machine, no proxy, no redirects.
            """
    )

    @OptionGroup var options: BundleOptions
    @Option(name: .long, help: ArgumentHelp("Ask this authority.", valueName: "url")) var tsa: String?
    @Option(name: .long, help: ArgumentHelp("Write the question to this new file.", valueName: "file"))
    var request: String?
    @Option(name: .long, help: ArgumentHelp("Add this answer.", valueName: "file")) var response: String?
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        guard [tsa, request, response].compactMap(\.self).count == 1 else {
            throw Failure(
                .usage,
                "timestamp the bundle",
                on: "--tsa, --request, --response",
                because: "exactly one of them is needed"
            )
        }
        let place = environment.absolute(BytePath(options.bundle))
        let later = try LaterSeal(try options.verified(in: environment))
        if let response {
            let path = environment.absolute(BytePath(response))
            return try add(
                try TrustedFile.readExplicit(path, limit: TimestampToken.sizeLimit, to: "read the answer"),
                to: later,
                telling
            )
        }
        if let request {
            let query = try later.requestTimestamp()
            let path = environment.absolute(BytePath(request))
            try BundleTimestamp.write(query.bytes, to: path)
            if common.json {
                telling.document(["request": .string("\(path)"), "timestamp": "pending"])
            } else {
                telling.result("pending: \(path) waits for an answer")
                telling.say("next: quell bundle timestamp BUNDLE --response FILE.tsr")
            }
            return .done
        }
        let address = try TimeAuthorityAddress(tsa ?? "")
        _ = try later.requestTimestamp()
        let answer = try address.ask(with: place.appending("seal.tsq"))
        // What was asked stands in the bundle now, so it is looked at again.
        return try add(answer, to: try LaterSeal(try options.verified(in: environment)), telling)
    }

    private func add(_ answer: [UInt8], to later: LaterSeal, _ telling: Teller) throws(Failure) -> Outcome {
        let said = try later.addTimestamp(answer)
        if common.json {
            telling.document([
                "untrustedTime": .string("\(said.time)"), "untrustedAuthority": .string(said.authority),
            ])
        } else {
            let authority = Escaped.terminal(said.authority)
            telling.result("added: claimed to be sealed before \(said.time), by \(authority)")
            telling.say("next: quell bundle verify BUNDLE --tsa-ca FILE says whether that authority counts")
        }
        return .done
    }

    private static func write(_ bytes: [UInt8], to path: BytePath) throws(Failure) {
        let file = path.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard file >= 0 else { throw Failure(errno: errno, "write the question", on: path) }
        defer { close(file) }
        let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        guard count == bytes.count else { throw Failure(errno: errno, "write the question", on: path) }
    }
}

/// The address of a time stamping authority, and the one question over HTTP that Quell asks (RFC 3161 section 3.4).
///
/// Quell has no HTTP of its own: curl asks, by its path that only root can change, with an empty environment (RT38).
struct TimeAuthorityAddress {
    private static let curl = BytePath("/usr/bin/curl")
    private static let patience = Duration.seconds(40)
    private let url: String

    /// Takes `https://...`, or `http://` to this machine.
    ///
    /// - Throws: `usage` for anything else.
    init(_ text: String) throws(Failure) {
        let isPlain =
            text.utf8.count <= 2048 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "@") }
        guard isPlain, text.hasPrefix("https://") || Self.isLocal(text) else {
            throw Failure(
                .usage,
                "ask the authority",
                on: text,
                because: "only https:// is asked, or http:// on 127.0.0.1, [::1] or localhost",
                hint: "--request FILE writes the question to a file, and any client can have it answered"
            )
        }
        url = text
    }

    private static func isLocal(_ text: String) -> Bool {
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let start = "http://\(host)"
            guard text.hasPrefix(start) else { continue }
            let rest = text.dropFirst(start.count)
            return rest.isEmpty || rest.hasPrefix("/") || rest.hasPrefix(":")
        }
        return false
    }

    /// The answer to the query in `file`.
    ///
    /// - Throws: `notFound` when there is no curl; `timedOut`; `refused` when nobody answers, or not with a success.
    func ask(with file: BytePath) throws(Failure) -> [UInt8] {
        let arguments = [
            "-q", "--silent", "--fail", "--noproxy", "*", "--proto", "=http,https", "--max-redirs", "0", "--globoff",
            "--max-time", "30", "--max-filesize", String(TimestampToken.sizeLimit),
            "--header", "Content-Type: application/timestamp-query", "--header", "Accept: application/timestamp-reply",
            "--data-binary",
        ]
        let output = try ChildProcess.run(
            .rootOwned(Self.curl),
            arguments.map { BytePath($0) } + [
                BytePath(Array("@".utf8) + file.bytes), BytePath("--url"), BytePath(url),
            ],
            limit: TimestampToken.sizeLimit,
            by: Deadline(after: Self.patience)
        )
        let hint = "the question is pending: quell bundle timestamp BUNDLE --tsa URL asks again"
        switch output.end {
        case .exited(0) where !output.wasCut: return output.bytes
        case .exited(let status):
            throw Failure(
                .refused,
                "ask the authority",
                on: url,
                because: "curl ended with status \(status) (22: not a success; 6, 7: not reached; 60: not trusted)",
                hint: hint
            )
        case .killed, .overran:
            throw Failure(.timedOut, "ask the authority", on: url, because: "there was no answer in time", hint: hint)
        }
    }
}
