import Base
import Credentials
import Glibc
import Kernel
import Programs
import Testing

/// A real redis-server of the test's own: a free loopback port, its users in a file of the sandbox's folder, nothing of it
/// outlives the sandbox.
final class RedisServer {
    static let adminPassword = "admin-canary-8c1f2d"
    static let agentPassword = "agent-canary-77aa01"

    let port: UInt16
    let folder: String
    private let sandbox: Sandbox
    private let placement: Sandbox.Placement
    private let usesFile: Bool
    private(set) var child: Child

    var endpoint: Endpoint { Endpoint(address: .loopback, port: port) }
    var usersFile: String { "\(folder)/users.acl" }

    /// Starts one with the users `default` (admin), `agent7` and those of `more`.
    init(in sandbox: Sandbox, more: [String] = [], usesFile: Bool = true, placed: Sandbox.Placement = .none) throws {
        self.sandbox = sandbox
        self.usesFile = usesFile
        placement = placed
        folder = sandbox.folder
        port = try LoopbackListener().port
        let users =
            [
                "user default on >\(Self.adminPassword) ~* &* +@all",
                "user agent7 on >\(Self.agentPassword) ~agent:* &* +@all -@dangerous -@admin",
            ] + more
        if usesFile {
            try #require(Files.write(users.joined(separator: "\n") + "\n", to: "\(folder)/users.acl") == 0)
        }
        try #require(Files.write(Self.adminPassword + "\n", to: "\(folder)/admin.secret") == 0)
        try #require(Files.write(Self.agentPassword, to: "\(folder)/agent.secret") == 0)
        child = try Self.start(sandbox, folder, port, usesFile ? nil : users, placed)
    }

    private static func start(
        _ sandbox: Sandbox,
        _ folder: String,
        _ port: UInt16,
        _ users: [String]?,
        _ placement: Sandbox.Placement
    ) throws -> Child {
        let path = try #require(Program.find("redis-server"))
        var arguments = [
            "--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no",
        ]
        if let users {
            for user in users { arguments += ["--user"] + user.split(separator: " ").dropFirst().map(String.init) }
        } else {
            arguments += ["--aclfile", "\(folder)/users.acl"]
        }
        let child = try sandbox.start(Program(path, arguments, environment: [:]), in: placement)
        _ = try child.line { $0.contains("Ready to accept connections") }
        return child
    }

    /// Stops it and starts it again on the same port and files.
    func restart() throws {
        child.signal(SIGTERM)
        _ = try child.finish()
        child = try Self.start(sandbox, folder, port, nil, placement)
    }

    /// What an inventory would declare.
    func declared(
        principal: String = "agent7",
        executable: String = "/usr/bin/redis-server",
        uid: UInt32 = 0,
        withSecret: Bool = true
    ) throws -> DeclaredCredential {
        DeclaredCredential(
            id: "cache",
            handle: try CredentialHandle(provider: "redis", principal: principal, server: endpoint),
            serverExecutable: BytePath(executable),
            serverUID: uid,
            adminUser: "default",
            adminPasswordFile: BytePath("\(folder)/admin.secret"),
            secretFile: withSecret ? BytePath("\(folder)/agent.secret") : nil
        )
    }

    func target(principal: String = "agent7", withSecret: Bool = true, of session: SessionPin? = nil) throws
        -> RevocationTarget
    {
        try RevocationTarget(try declared(principal: principal, withSecret: withSecret), of: session)
    }

    /// A logged-in client.
    func client(_ user: String = "agent7", _ password: String = agentPassword) throws -> RedisTestClient {
        let client = try RedisTestClient(endpoint)
        try #require(try client.ask("AUTH \(user) \(password)") == "+OK\r\n")
        return client
    }

    /// All users as the server lists them, hashes and all.
    func users() throws -> String {
        try client("default", Self.adminPassword).ask("ACL LIST")
    }
}

/// Speaks inline commands; each reply here is small enough to come in one piece, or is read until it is whole.
final class RedisTestClient {
    private let stream: StreamSocket

    init(_ endpoint: Endpoint) throws {
        stream = try StreamSocket.connect(to: endpoint, by: Deadline(after: .seconds(5)))
    }

    func ask(_ command: String) throws -> String {
        let deadline = Deadline(after: .seconds(5))
        try stream.send(Array("\(command)\r\nECHO end-of-reply\r\n".utf8), by: deadline)
        var reply = ""
        while !reply.hasSuffix("$12\r\nend-of-reply\r\n") && !reply.hasSuffix("-NOAUTH Authentication required.\r\n") {
            let bytes = try stream.receive(atMost: 65_536, by: deadline)
            if bytes.isEmpty { return reply }
            reply += String(decoding: bytes, as: UTF8.self)
        }
        return String(reply.replacing("$12\r\nend-of-reply\r\n", with: ""))
    }

    /// Whether the server has closed the connection.
    func seesEnd() throws -> Bool {
        do throws(Failure) {
            return try stream.receive(atMost: 10, by: Deadline(after: .seconds(5))).isEmpty
        } catch {
            guard error.errno == ECONNRESET else { throw error }
            return true
        }
    }
}
