internal import Base
internal import Glibc
internal import Kernel

/// Commands as Quell's own user, over a connection that is authenticated. Every command names the principal only after it
/// was found to exist, because `ACL SETUSER` creates what it does not find.
struct RedisAdministration: ~Copyable {
    private var connection: RedisConnection
    private let target: RevocationTarget

    var server: ServerIdentity { connection.server }
    private var principal: String { target.credential.handle.principal }

    /// Identifies the server, then reads the admin secret, then authenticates: in this order, so that a server that is not
    /// the declared one costs nothing.
    ///
    /// - Throws: `refused` when the server is not the declared one (nothing was sent), or refuses the admin, or takes it
    ///   for the principal; as ``SecretFile/readAdmin(_:)``.
    init(_ target: RevocationTarget, on host: Host, by deadline: Deadline) throws(Failure) {
        var connection = try RedisConnection(target, on: host, by: deadline)
        let secret = try SecretFile.readAdmin(target.credential.adminPasswordFile)
        let user = target.credential.adminUser
        let reply = try connection.call([.text("AUTH"), .text(user), .secret(secret)], by: deadline)
        guard reply.isOK else {
            throw Self.refusal("log in as \(user)", target, reply)
        }
        let name = try connection.call("ACL", "WHOAMI", by: deadline)
        guard name.text == user, name.text != target.credential.handle.principal else {
            throw Failure(
                .refused,
                "log in as \(user)",
                on: "\(target.credential.handle.server)",
                because: "the server takes us for another user"
            )
        }
        self.connection = connection
        self.target = target
    }

    private static func refusal(_ attempt: String, _ target: RevocationTarget, _ reply: RESPValue) -> Failure {
        let answer: String
        if case .error(let error) = reply {
            answer = "the server answered \(error.code)"
        } else {
            answer = "no OK came"
        }
        return Failure(.refused, attempt, on: "\(target.credential.handle.server)", because: answer)
    }

    private func unexpected(_ attempt: String, _ reply: RESPValue) -> Failure {
        Self.refusal(attempt, target, reply)
    }

    /// The user; `nil` when the server does not know it.
    mutating func user(by deadline: Deadline) throws(Failure) -> RedisUser? {
        let reply = try connection.call("ACL", "GETUSER", principal, by: deadline)
        if case .error = reply { throw unexpected("look at the ACL user", reply) }
        return try RedisUser(reply)
    }

    /// How many connections the user has.
    mutating func sessions(by deadline: Deadline) throws(Failure) -> Int {
        let reply = try connection.call("CLIENT", "LIST", by: deadline)
        if case .error = reply { throw unexpected("list the clients", reply) }
        return try RedisClients.count(of: principal, in: reply)
    }

    /// Other users with the same password.
    mutating func siblings(by deadline: Deadline) throws(Failure) -> [SiblingCredential] {
        let reply = try connection.call("ACL", "LIST", by: deadline)
        if case .error = reply { throw unexpected("list the ACL users", reply) }
        return try RedisAccessList(reply).siblings(of: principal)
    }

    /// Switches the login.
    mutating func set(enabled: Bool, by deadline: Deadline) throws(Failure) {
        guard try user(by: deadline) != nil else {
            throw Failure(
                .refused,
                "change the ACL user",
                on: "\(target.credential.handle)",
                because: "the server does not know it, and changing it would create it"
            )
        }
        let reply = try connection.call("ACL", "SETUSER", principal, enabled ? "on" : "off", by: deadline)
        guard reply.isOK else { throw unexpected("change the ACL user", reply) }
    }

    /// Ends the user's connections until none is listed; a disabled user gets no new ones.
    mutating func endSessions(by deadline: Deadline) throws(Failure) {
        while true {
            let reply = try connection.call("CLIENT", "KILL", "USER", principal, by: deadline)
            guard case .integer = reply else { throw unexpected("end the clients", reply) }
            let left = try sessions(by: deadline)
            if left == 0 { return }
            guard !deadline.hasPassed else {
                throw Failure(
                    .timedOut,
                    "end the clients",
                    on: "\(target.credential.handle)",
                    because: "\(left) still connected"
                )
            }
            // The server frees a killed client in its next round.
            poll(nil, 0, 5)
        }
    }

    /// Saves the users, into the ACL file or the configuration file, whichever the server uses.
    mutating func save(by deadline: Deadline) throws(Failure) {
        let saved = try connection.call("ACL", "SAVE", by: deadline)
        if saved.isOK { return }
        let rewritten = try connection.call("CONFIG", "REWRITE", by: deadline)
        guard rewritten.isOK else {
            throw Failure(
                .refused,
                "save the ACL",
                on: "\(target.credential.handle.server)",
                because: "the server uses neither an ACL file nor a configuration file that it can write",
                hint: "the change holds until the server restarts; set aclfile in its configuration"
            )
        }
    }

    /// The file that holds the users: the ACL file, else the configuration file; `nil` when there is none.
    mutating func file(by deadline: Deadline) throws(Failure) -> BytePath? {
        if let path = try setting("aclfile", by: deadline) { return try absolute(path, by: deadline) }
        let reply = try connection.call("INFO", "server", by: deadline)
        guard case .bulk(let bytes) = reply else { return nil }
        let prefix = Array("config_file:".utf8)
        let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: prefix) }
        let path = line.map { $0.dropFirst(prefix.count).prefix { $0 != UInt8(ascii: "\r") } } ?? []
        return path.isEmpty ? nil : try absolute(BytePath(path), by: deadline)
    }

    private mutating func absolute(_ path: BytePath, by deadline: Deadline) throws(Failure) -> BytePath? {
        if path.isAbsolute { return path }
        return try setting("dir", by: deadline)?.appending(path)
    }

    private mutating func setting(_ name: String, by deadline: Deadline) throws(Failure) -> BytePath? {
        let reply = try connection.call("CONFIG", "GET", name, by: deadline)
        guard case .array(let pair) = reply, pair.count == 2, case .bulk(let value) = pair[1], !value.isEmpty else {
            return nil
        }
        return BytePath(value)
    }
}
