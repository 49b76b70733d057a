public import Base
import Glibc

/// An ssh-agent behind its socket: it signs, and the private key stays where it is.
///
/// Source: draft-ietf-sshm-ssh-agent. What an agent answers is checked like any foreign input, its signatures too.
public struct SSHAgent: Hashable, Sendable {
    /// A key that the agent holds.
    public struct Identity: Hashable, Sendable {
        /// The public key.
        public let key: SSHPublicKey
        /// What the agent calls it; hostile text is allowed here.
        public let comment: String
    }

    /// Where it listens.
    public let socket: BytePath

    /// The most bytes of an answer, OpenSSH's own bound.
    static let answerLimit = 256 << 10
    private static let listingTime = Duration.seconds(10)
    /// A person may have to confirm, or to touch a token.
    private static let signingTime = Duration.seconds(120)

    /// Takes the path of the socket, $SSH_AUTH_SOCK; nothing is opened yet.
    public init(socket: BytePath) { self.socket = socket }

    /// The keys of the types that ``SSHPublicKey`` understands, in the agent's order; others are passed over.
    ///
    /// - Throws: `system` with errno when nobody answers there, `timedOut`, `malformed`.
    public func identities() throws(Failure) -> [Identity] {
        try SSHAgentAnswer.identities(try ask([11], within: SSHAgent.listingTime))
    }

    /// The signature in the form of its algorithm, after it was checked. RSA signs with SHA-512.
    func sign(_ message: [UInt8], with key: SSHPublicKey) throws(Failure) -> [UInt8] {
        let wantsSHA512: [UInt8] = SSHWire.uint32(key.kind == .rsa ? 4 : 0)
        let request = [13] + SSHWire.string(key.blob) + SSHWire.string(message) + wantsSHA512
        let signature = try SSHAgentAnswer.signature(try ask(request, within: SSHAgent.signingTime))
        guard try key.verifies(signature, over: message) else {
            throw failure(.notVerified, "sign", "the agent's signature is not by the key \(key.fingerprint)")
        }
        return signature
    }

    private func ask(_ request: [UInt8], within time: Duration) throws(Failure) -> [UInt8] {
        let deadline = Deadline(after: time)
        let connection = try connect()
        defer { close(connection) }
        try send(SSHWire.string(request), to: connection, by: deadline)
        var head = SSHReader(try receive(4, from: connection, by: deadline), of: "the agent's answer")
        let length = try head.uint32()
        guard (1...UInt32(SSHAgent.answerLimit)).contains(length) else {
            throw head.malformed("it has \(length) bytes")
        }
        return try receive(Int(length), from: connection, by: deadline)
    }

    private func connect() throws(Failure) -> Int32 {
        var address = sockaddr_un()
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard socket.bytes.count < room, !socket.isEmpty else {
            throw failure(.refused, "reach ssh-agent", "the path of its socket is empty or too long")
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.bytes) }
        let connection = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard connection >= 0 else { throw Failure(errno: errno, "reach ssh-agent", on: socket) }
        let made = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard made == 0 else {
            let problem = errno
            close(connection)
            throw Failure(errno: problem, "reach ssh-agent", on: socket)
        }
        return connection
    }

    private func send(_ bytes: [UInt8], to connection: Int32, by deadline: Deadline) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(for: POLLOUT, on: connection, by: deadline)
            let count = rest.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw Failure(errno: errno, "ask ssh-agent", on: socket) }
            rest = rest.dropFirst(count)
        }
    }

    private func receive(_ wanted: Int, from connection: Int32, by deadline: Deadline) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: wanted)
        var filled = 0
        while filled < wanted {
            try wait(for: POLLIN, on: connection, by: deadline)
            let count = bytes.withUnsafeMutableBytes { buffer in
                recv(connection, buffer.baseAddress?.advanced(by: filled), wanted - filled, Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count >= 0 else { throw Failure(errno: errno, "hear ssh-agent", on: socket) }
            guard count > 0 else { throw failure(.malformed, "hear ssh-agent", "it closed the connection") }
            filled += count
        }
        return bytes
    }

    private func wait(for event: Int32, on connection: Int32, by deadline: Deadline) throws(Failure) {
        while true {
            var entry = pollfd(fd: connection, events: Int16(event), revents: 0)
            let ready = poll(&entry, 1, deadline.pollTimeout)
            if ready > 0 { return }
            if ready < 0, errno == EINTR { continue }
            guard ready == 0 else { throw Failure(errno: errno, "wait for ssh-agent", on: socket) }
            if deadline.hasPassed { throw failure(.timedOut, "wait for ssh-agent", "it did not answer in time") }
        }
    }

    private func failure(_ code: Failure.Code, _ attempt: String, _ reason: String) -> Failure {
        Failure(code, attempt, on: String(decoding: socket.bytes, as: UTF8.self), because: reason)
    }
}

/// Reads the two answers of an agent; public so that it can be fuzzed as what it is, foreign input.
public enum SSHAgentAnswer {
    private static let mostIdentities: UInt32 = 2048

    /// SSH_AGENT_IDENTITIES_ANSWER: keys that are not understood are passed over.
    ///
    /// - Throws: `malformed`; `refused` when the agent says no.
    public static func identities(_ bytes: [UInt8]) throws(Failure) -> [SSHAgent.Identity] {
        var reader = try opened(bytes, as: 12)
        let count = try reader.uint32()
        guard count <= mostIdentities else { throw reader.malformed("it lists \(count) keys") }
        var identities: [SSHAgent.Identity] = []
        for _ in 0..<count {
            let blob = try reader.string()
            let comment = String(decoding: try reader.string(), as: UTF8.self)
            guard let key = understood(blob) else { continue }
            identities.append(SSHAgent.Identity(key: key, comment: comment))
        }
        try reader.end()
        return identities
    }

    /// SSH_AGENT_SIGN_RESPONSE: the signature in the form of its algorithm.
    ///
    /// - Throws: `malformed`; `refused` when the agent says no.
    public static func signature(_ bytes: [UInt8]) throws(Failure) -> [UInt8] {
        var reader = try opened(bytes, as: 14)
        let signature = try reader.string()
        try reader.end()
        return signature
    }

    private static func opened(_ bytes: [UInt8], as kind: UInt8) throws(Failure) -> SSHReader {
        var reader = SSHReader(bytes, of: "the agent's answer")
        let found = try reader.byte()
        if found == 5 {
            throw Failure(
                .refused,
                "ask ssh-agent",
                on: "the agent",
                because: "it said no: locked, not confirmed, or it has no such key"
            )
        }
        guard found == kind else { throw reader.malformed("it is of type \(found), not \(kind)") }
        return reader
    }

    /// A key of a type that is not understood is none for us, which is no error of the agent.
    private static func understood(_ blob: [UInt8]) -> SSHPublicKey? {
        do throws(Failure) { return try SSHPublicKey(blob: blob) } catch { return nil }
    }
}
