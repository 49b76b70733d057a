internal import ArgumentParser
import Base
import Glibc
import Sealing

/// With which key somebody signs, who may not be on the machine that the key is on.
struct SignerOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "A key file (Ed25519, PKCS#8 PEM, also under a passphrase), or agent, or agent:FINGERPRINT.",
            valueName: "key"
        )
    )
    var with: String
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Read the passphrase of the key file from this descriptor (default: ask at the terminal).",
            valueName: "number"
        )
    )
    var passphraseFd: Int32?

    /// The signer.
    ///
    /// - Throws: `refused` when others can read the key file; `notFound` or `ambiguous` when the agent has not exactly one
    ///   such key.
    func signer(in environment: Environment) throws(Failure) -> Signer {
        if with == "agent" { return try agent(nil, environment) }
        if with.hasPrefix("agent:") { return try agent(String(with.dropFirst(6)), environment) }
        let path = environment.absolute(BytePath(with))
        let key = try SigningKey(loading: path) { () throws(Failure) in
            if let passphraseFd { return try Passphrase.read(from: passphraseFd) }
            return try Passphrase.ask(for: path)
        }
        return .key(key)
    }

    private func agent(_ fingerprint: String?, _ environment: Environment) throws(Failure) -> Signer {
        guard let socket = environment.variable("SSH_AUTH_SOCK"), socket.hasPrefix("/") else {
            throw Failure(
                .notFound,
                "reach ssh-agent",
                on: "SSH_AUTH_SOCK",
                because: "it is not set to an absolute path",
                hint: "sudo drops it: sudo --preserve-env=SSH_AUTH_SOCK quell ..."
            )
        }
        let agent = SSHAgent(socket: BytePath(socket))
        let all = try agent.identities()
        let fitting = fingerprint.map { wanted in all.filter { $0.key.fingerprint == wanted } } ?? all
        if fitting.count == 1, let found = fitting.first { return .agent(agent, found.key) }
        let known = all.map { "\($0.key.fingerprint) (\($0.key.kind.rawValue), \(Escaped.terminal($0.comment)))" }
        throw Failure(
            fitting.isEmpty ? .notFound : .ambiguous,
            "choose a key of ssh-agent",
            on: fingerprint ?? "agent",
            because: known.isEmpty ? "it has no key that is understood" : "it has \(known.joined(separator: ", "))",
            hint: all.first.map { "--with agent:\($0.key.fingerprint)" }
        )
    }
}

/// Passphrases: from a terminal or a descriptor, never from arguments or the environment, where others could see them.
enum Passphrase {
    private static let limit = 1024

    /// Everything up to the end or a line feed.
    static func read(from descriptor: Int32) throws(Failure) -> Secret {
        // All of it from the start: what grows leaves copies behind.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(limit + 1)
        defer { erase(&bytes) }
        var byte: UInt8 = 0
        defer { explicit_bzero(&byte, 1) }
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw Failure(errno: errno, "read the passphrase", on: BytePath("descriptor \(descriptor)"))
            }
            if count == 0 || byte == UInt8(ascii: "\n") { return Secret(bytes) }
            bytes.append(byte)
        }
        throw Failure(
            .malformed,
            "read the passphrase",
            on: "descriptor \(descriptor)",
            because: "it has more than \(limit) bytes"
        )
    }

    /// Asks at the terminal without showing what is typed.
    static func ask(for path: BytePath) throws(Failure) -> Secret {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else {
            throw Failure(
                .refused,
                "ask for the passphrase",
                on: "\(path)",
                because: "there is no terminal",
                hint: "--passphrase-fd NUMBER"
            )
        }
        defer { close(terminal) }
        var before = termios()
        guard tcgetattr(terminal, &before) == 0 else {
            throw Failure(errno: errno, "ask for the passphrase", on: BytePath("/dev/tty"))
        }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(terminal, TCSAFLUSH, &silent) == 0 else {
            throw Failure(errno: errno, "hide the passphrase", on: BytePath("/dev/tty"))
        }
        defer { tcsetattr(terminal, TCSAFLUSH, &before) }
        let words = Sink(descriptor: terminal)
        words.bytes(Array("passphrase of \(path): ".utf8))
        defer { words.line() }
        return try read(from: terminal)
    }

    private static func erase(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { buffer in
            if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
        }
    }
}
