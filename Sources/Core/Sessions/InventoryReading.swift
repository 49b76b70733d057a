public import Base
public import Documents

extension Inventory {
    /// Reads `agents.yaml` from a path that only trusted users can write (RT21): absolute, no symbolic link on the way,
    /// owned by root and writable by nobody else, nor its parents. A missing file is ``Base/Failure/Code/notFound``.
    public static func read(_ path: BytePath, owners: TrustedOwners = .current()) throws(Failure) -> Inventory {
        let bytes = try TrustedFile.read(path, owners: owners, to: "read the inventory")
        return try parse(bytes, named: path)
    }

    /// Reads the text of an inventory. Every error names file, line and column, and what to write instead.
    public static func parse(_ bytes: [UInt8], named file: BytePath) throws(Failure) -> Inventory {
        let document = try YAMLReader.read(bytes, named: file)
        let items = try document.mapping(known: ["agents"]).required("agents").list()
        var agents: [AgentRecord] = []
        var places: [String: Position] = [:]
        for item in items {
            let agent = try AgentRecord(item)
            if let first = places.updateValue(item.position, forKey: agent.name) {
                throw item.place.failure(
                    "a second agent with the name \"\(agent.name)\", first at \(first)",
                    fix: "give each agent its own name"
                )
            }
            agents.append(agent)
        }
        return Inventory(agents: agents)
    }
}

extension AgentRecord {
    static let keys = [
        "name", "owner", "locator", "workspace", "transcripts", "logs", "uid", "supervisor", "credentials",
    ]

    init(_ document: Document) throws(Failure) {
        let mapping = try document.mapping(known: AgentRecord.keys)
        var credentials: [CredentialRecord] = []
        for item in try mapping["credentials"]?.list() ?? [] {
            let credential = try CredentialRecord(item)
            guard !credentials.contains(where: { $0.id == credential.id }) else {
                throw item.place.failure(
                    "a second credential with the id \"\(credential.id)\"",
                    fix: "give each credential its own id"
                )
            }
            credentials.append(credential)
        }
        self.init(
            name: try mapping.identifier("name"),
            owner: try mapping.optionalString("owner"),
            locator: try mapping.locator("locator"),
            workspace: try mapping.paths("workspace"),
            transcripts: try mapping.paths("transcripts"),
            logs: try mapping.paths("logs"),
            uid: try mapping.uid("uid"),
            supervisor: try mapping.optionalString("supervisor"),
            credentials: credentials
        )
    }
}

extension CredentialRecord {
    static let keys = [
        "id", "provider", "principal", "server", "serverExecutable", "serverUid", "admin", "secretFile",
    ]

    init(_ document: Document) throws(Failure) {
        let mapping = try document.mapping(known: CredentialRecord.keys)
        let provider = try mapping.required("provider")
        guard try provider.string() == "redis" else {
            throw provider.place.failure("unknown provider \(provider.kindWords)", fix: "write \"redis\"")
        }
        let server = try mapping.endpoint("server")
        let admin = try mapping["admin"]?.mapping(known: ["user", "passwordFile"])
        self.init(
            id: try mapping.identifier("id"),
            provider: "redis",
            principal: try mapping.string("principal"),
            host: server.host,
            port: server.port,
            serverExecutable: try mapping.path("serverExecutable"),
            serverUID: try mapping.uid("serverUid"),
            adminUser: try admin?.string("user"),
            adminPasswordFile: try admin?.requiredPath("passwordFile"),
            secretFile: try mapping.path("secretFile")
        )
    }
}

extension DocumentMapping {
    fileprivate func identifier(_ key: String) throws(Failure) -> String {
        let value = try required(key)
        let text = try value.string()
        guard AgentName.isValid(text) else {
            throw value.expected("a name of a-z, 0-9 and -, at most 64 letters")
        }
        return text
    }

    fileprivate func locator(_ key: String) throws(Failure) -> Locator {
        let value = try required(key)
        let text = try value.string()
        let locator: Locator
        do throws(Failure) {
            locator = try Locator(parsing: text)
        } catch {
            throw value.place.failure(error.reason, fix: "write cgroup:/PATH, podman:NAME, runc:ID, lxc:NAME or pid:N")
        }
        switch locator {
        case .cgroup, .pid, .podman, .docker, .oci, .lxc, .nspawn, .runsc, .qmp, .unit: return locator
        case .agent, .name, .path:
            throw value.expected("a locator cgroup:/PATH, podman:NAME, runc:ID, lxc:NAME or pid:N")
        }
    }

    fileprivate func path(_ key: String) throws(Failure) -> BytePath? { try self[key]?.absolutePath() }

    fileprivate func requiredPath(_ key: String) throws(Failure) -> BytePath { try required(key).absolutePath() }

    fileprivate func paths(_ key: String) throws(Failure) -> [BytePath] {
        var paths: [BytePath] = []
        for item in try self[key]?.list() ?? [] { paths.append(try item.absolutePath()) }
        return paths
    }

    fileprivate func uid(_ key: String) throws(Failure) -> UInt32? {
        guard let value = self[key] else { return nil }
        return UInt32(try value.int(in: 0...4_294_967_294))
    }

    fileprivate func endpoint(_ key: String) throws(Failure) -> (host: String, port: UInt16) {
        let value = try required(key)
        let text = try value.string()
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0,
            colon != text.startIndex
        else { throw value.expected("a server HOST:PORT such as \"127.0.0.1:6379\"") }
        return (String(text[..<colon]), port)
    }
}

extension Document {
    fileprivate func absolutePath() throws(Failure) -> BytePath {
        let path = BytePath(try string())
        guard path.isAbsolute, !path.components.contains(BytePath("..")) else {
            throw expected("an absolute path without ..")
        }
        return path
    }
}
