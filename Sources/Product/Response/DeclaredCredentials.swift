import Base
import Credentials
import Kernel
import Sessions

/// The credentials that the inventory declares of one agent, in the terms of Credentials.
struct DeclaredCredentials {
    let all: [DeclaredCredential]

    /// - Throws: `malformed` when a record lacks what its provider needs, naming it.
    init(of agent: AgentRecord?) throws(Failure) {
        var all: [DeclaredCredential] = []
        for record in agent?.credentials ?? [] { all.append(try DeclaredCredential(record)) }
        self.all = all
    }
}

extension DeclaredCredential {
    /// Takes a record of the inventory.
    ///
    /// - Throws: `malformed` when the record lacks what its provider needs.
    init(_ record: CredentialRecord) throws(Failure) {
        func incomplete(_ what: String) -> Failure {
            Failure(
                .malformed,
                "take the credential from the inventory",
                on: record.id,
                because: "\(what) is missing, and without it no secret is sent to the server (RT9)",
                hint: "add \(what) to agents.yaml"
            )
        }
        guard let server = Endpoint("\(record.host):\(record.port)") else {
            throw incomplete("a numeric server address")
        }
        guard let executable = record.serverExecutable else { throw incomplete("serverExecutable") }
        guard let uid = record.serverUID else { throw incomplete("serverUid") }
        guard let admin = record.adminUser, let passwordFile = record.adminPasswordFile else {
            throw incomplete("admin")
        }
        self.init(
            id: record.id,
            handle: try CredentialHandle(provider: record.provider, principal: record.principal, server: server),
            serverExecutable: executable,
            serverUID: uid,
            adminUser: admin,
            adminPasswordFile: passwordFile,
            secretFile: record.secretFile
        )
    }
}
