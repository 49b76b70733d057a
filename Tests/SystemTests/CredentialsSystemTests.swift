import Base
import Credentials
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    @Suite("credentials", .kernel(.root, .redis))
    struct CredentialsSystemTests {
        private func soon() -> Deadline { Deadline(after: .seconds(10)) }

        private func revoke(_ target: RevocationTarget) throws -> (Revocation, [RedisEffect]) {
            var applied: [RedisEffect] = []
            let revocation = try RedisProvider(on: Host()).revoke(target, by: soon()) {
                effect,
                work throws(Failure) in
                applied.append(effect)
                try work()
            }
            return (revocation, applied)
        }

        @Test(
            "a live user is seen alive, disabled, its sessions ended, the change saved, and then seen refused",
            .sandbox
        )
        func whole() throws {
            let server = try RedisServer(in: Sandbox.of())
            let first = try server.client()
            let second = try server.client()
            let bystander = try server.client("default", RedisServer.adminPassword)
            let (revocation, applied) = try revoke(server.target())
            let receipt = revocation.receipt

            #expect(receipt.before == Sighting(trial: .accepted, standing: .enabled, sessions: 2))
            #expect(receipt.after == Sighting(trial: .refused, standing: .disabled, sessions: 0))
            #expect(receipt.verdict == .dead)
            #expect(receipt.persistence == .seenOnDisk)
            #expect(receipt.siblings.isEmpty)
            #expect(receipt.server.pin.pid == server.child.id)
            #expect(revocation.failures.isEmpty)
            #expect(
                applied == [
                    .disable(principal: "agent7", wasEnabled: true), .endSessions(principal: "agent7"),
                    .save(principal: "agent7", enabled: false),
                ]
            )
            #expect(try first.seesEnd())
            #expect(try second.seesEnd())
            #expect(try bystander.ask("PING") == "+PONG\r\n")
            #expect(
                try RedisTestClient(server.endpoint).ask("AUTH agent7 \(RedisServer.agentPassword)").hasPrefix(
                    "-WRONGPASS"
                )
            )
        }

        @Test("a second revocation says was-already-dead and does nothing, and a restart keeps the user off", .sandbox)
        func twice() throws {
            let server = try RedisServer(in: Sandbox.of())
            #expect(try revoke(server.target()).0.receipt.verdict == .dead)
            let (second, applied) = try revoke(server.target())
            #expect(second.receipt.verdict == .wasAlreadyDead)
            #expect(applied.isEmpty)
            try server.restart()
            #expect(
                try RedisTestClient(server.endpoint).ask("AUTH agent7 \(RedisServer.agentPassword)").hasPrefix(
                    "-WRONGPASS"
                )
            )
            #expect(try revoke(server.target()).0.receipt.verdict == .wasAlreadyDead)
        }

        @Test("an unknown user is refused and never created", .sandbox)
        func unknown() throws {
            let server = try RedisServer(in: Sandbox.of())
            let before = try server.users()
            let failure = #expect(throws: Failure.self) { try revoke(server.target(principal: "ghost")) }
            #expect(failure?.code == .refused)
            let effect = RedisEffect.disable(principal: "ghost", wasEnabled: true)
            let forced = #expect(throws: Failure.self) {
                try RedisProvider(on: Host()).perform(effect, on: server.target(principal: "ghost"), by: soon())
            }
            #expect(forced?.code == .refused)
            #expect(try server.users() == before)
            #expect(!before.contains("ghost"))
        }

        @Test("without the agent's password the verdict is asked-unverified, never dead", .sandbox)
        func withoutSecret() throws {
            let server = try RedisServer(in: Sandbox.of())
            let client = try server.client()
            let receipt = try revoke(server.target(withSecret: false)).0.receipt
            #expect(receipt.before == Sighting(trial: .notTried, standing: .enabled, sessions: 1))
            #expect(receipt.after == Sighting(trial: .notTried, standing: .disabled, sessions: 0))
            #expect(receipt.verdict == .askedUnverified)
            #expect(try client.seesEnd())
        }

        @Test("a declared password that cannot be read is told with its reason, and was not tried", .sandbox)
        func unreadableSecret() throws {
            let server = try RedisServer(in: Sandbox.of())
            let target = try server.target()
            #expect(unlink("\(server.folder)/agent.secret") == 0)
            let receipt = try revoke(target).0.receipt
            #expect(receipt.verdict == .askedUnverified && receipt.after.trial == .notTried)
            #expect(receipt.after.untried?.contains("agent.secret") == true)
            #expect(receipt.sentence.contains("its password was not tried"))
        }

        @Test("a password that was wrong before proves nothing by being refused after", .sandbox)
        func wrongSecret() throws {
            let server = try RedisServer(in: Sandbox.of())
            #expect(Files.write("something-else", to: "\(server.folder)/agent.secret") == 0)
            let receipt = try revoke(server.target()).0.receipt
            #expect(receipt.before.trial == .refused)
            #expect(receipt.verdict == .askedUnverified)
        }

        @Test("a server that can save nowhere makes a death until its restart, and the sentence says so", .sandbox)
        func notPersisted() throws {
            let server = try RedisServer(in: Sandbox.of(), usesFile: false)
            let (revocation, _) = try revoke(server.target())
            #expect(revocation.receipt.verdict == .dead)
            #expect(revocation.receipt.persistence == .untilRestart)
            #expect(revocation.failures.map(\.attempt) == ["save the ACL"])
            #expect(revocation.receipt.sentence.contains("only until the server restarts"))
        }

        @Test("RT40 another enabled user with the same password is listed", .sandbox)
        func siblings() throws {
            let server = try RedisServer(
                in: Sandbox.of(),
                more: ["user twin on >\(RedisServer.agentPassword) ~* +@all"]
            )
            let receipt = try revoke(server.target()).0.receipt
            #expect(receipt.siblings == [SiblingCredential(principal: "twin", isEnabled: true)])
            #expect(receipt.sentence.contains("still opens twin"))
        }

        @Test("each step is probed by itself, and switching off is undone", .sandbox)
        func steps() throws {
            let server = try RedisServer(in: Sandbox.of())
            let client = try server.client()
            let provider = RedisProvider(on: try Host())
            let target = try server.target()
            let disable = RedisEffect.disable(principal: "agent7", wasEnabled: true)
            let end = RedisEffect.endSessions(principal: "agent7")
            let save = RedisEffect.save(principal: "agent7", enabled: false)
            func standing(_ effect: RedisEffect) throws -> EffectStanding {
                try provider.probe(effect, on: target, by: soon())
            }

            #expect(try standing(disable) == .notDone)
            try provider.perform(disable, on: target, by: soon())
            #expect(try standing(disable) == .done)
            // A disabled login leaves its connection alive.
            #expect(try standing(end) == .partly("1 still connected"))
            #expect(try client.ask("PING") == "+PONG\r\n")
            try provider.perform(end, on: target, by: soon())
            #expect(try standing(end) == .done)
            #expect(try client.seesEnd())
            #expect(try standing(save) == .notDone)
            try provider.perform(save, on: target, by: soon())
            #expect(try standing(save) == .done)

            let undo = try #require(provider.undo(disable))
            #expect(provider.undo(end) == nil)
            try provider.perform(undo, on: target, by: soon())
            #expect(try standing(undo) == .done)
            _ = try server.client()
            #expect(try standing(save) == .notDone)
        }

        @Test("RT9 an impostor on the declared port gets not one byte", .sandbox)
        func impostor() throws {
            let server = try RedisServer(in: Sandbox.of())
            let impostor = try LoopbackListener()
            let real = try server.declared()
            let declared = DeclaredCredential(
                id: "cache",
                handle: try CredentialHandle("redis:agent7@127.0.0.1:\(impostor.port)"),
                serverExecutable: real.serverExecutable,
                serverUID: 0,
                adminUser: "default",
                adminPasswordFile: real.adminPasswordFile,
                secretFile: real.secretFile
            )
            let failure = #expect(throws: Failure.self) { try revoke(RevocationTarget(declared, of: nil)) }
            #expect(failure?.code == .refused)
            #expect(failure?.reason.contains("executes") == true)
            #expect(impostor.everythingReceived().isEmpty)
        }

        @Test("RT9 a real Redis of the session's own, and one of another uid, are refused before any login", .sandbox)
        func sessionsOwn() throws {
            let sandbox = try Sandbox.of()
            let server = try RedisServer(in: sandbox, placed: .unified)
            let lines = try ProcessDirectory(server.child.id, on: Host()).cgroups()
            let own = try #require(lines.first { $0.hierarchy == "v2" })
            let session = SessionPin(
                bootID: "b",
                cgroups: [CgroupPin(hierarchy: own.hierarchy, path: own.path, inode: 1)],
                leader: nil
            )
            for target in [
                try server.target(of: session), try RevocationTarget(server.declared(uid: 102), of: nil),
                try RevocationTarget(server.declared(executable: "/usr/bin/env"), of: nil),
            ] {
                let failure = #expect(throws: Failure.self) { try revoke(target) }
                #expect(failure?.code == .refused)
            }
            let log = try server.client("default", RedisServer.adminPassword).ask("INFO clients")
            #expect(log.contains("connected_clients:1"))
            #expect(
                try server.client("default", RedisServer.adminPassword).ask("ACL GETUSER agent7").contains(
                    "$2\r\non\r\n"
                )
            )
        }

        @Test("an admin secret that others may read, that is a link or that is not root's is refused", .sandbox)
        func secretFiles() throws {
            let server = try RedisServer(in: Sandbox.of())
            let path = "\(server.folder)/admin.secret"
            func refusal() throws -> String {
                let failure = #expect(throws: Failure.self) { try revoke(server.target()) }
                return failure?.reason ?? ""
            }
            chmod(path, 0o640)
            #expect(try refusal().contains("0600"))
            chmod(path, 0o600)
            chown(path, 4711, 0)
            #expect(try refusal().contains("uid 4711"))
            chown(path, 0, 0)
            link(path, "\(server.folder)/second")
            #expect(try refusal().contains("2 names"))
            unlink(path)
            symlink("\(server.folder)/second", path)
            #expect(try refusal().contains("ELOOP"))
            unlink(path)
            mkfifo(path, 0o600)
            #expect(try refusal().contains("not a regular file"))
            unlink(path)
            rename("\(server.folder)/second", path)
            chmod(server.folder, 0o777)
            #expect(try refusal().contains("may write its folder"))
            chmod(server.folder, 0o700)
            #expect(try revoke(server.target()).0.receipt.verdict == .dead)
        }

        @Test("no receipt, observation, effect or failure holds a secret or a hash of one", .sandbox)
        func noSecrets() throws {
            let server = try RedisServer(
                in: Sandbox.of(),
                more: ["user twin on >\(RedisServer.agentPassword) ~* +@all"]
            )
            let hashes = try server.users().split(separator: " ").filter { $0.hasPrefix("#") }.map {
                String($0.dropFirst())
            }
            try #require(hashes.count == 3)
            let provider = RedisProvider(on: try Host())
            let target = try server.target()
            let seen = try provider.inspect(target, by: soon())
            let effects = provider.plan(target, from: seen)
            let receipt = try revoke(target).0.receipt
            var texts = [
                String(decoding: try JSONEncoding.canonicalBytes(of: seen), as: UTF8.self),
                String(decoding: try JSONEncoding.canonicalBytes(of: effects), as: UTF8.self),
                String(decoding: try JSONEncoding.canonicalBytes(of: receipt), as: UTF8.self), receipt.sentence,
                String(reflecting: target), String(reflecting: receipt),
            ]
            // A wrong admin password: the failure may name the user, never the password.
            #expect(Files.write("wrong-canary-5b", to: "\(server.folder)/admin.secret") == 0)
            let failure = try #require(throws: Failure.self) { try revoke(target) }
            texts += ["\(failure)", String(reflecting: failure)]
            texts.append(String(decoding: try JSONEncoding.canonicalBytes(of: failure), as: UTF8.self))
            for text in texts {
                #expect(!text.contains("canary"))
                for hash in hashes { #expect(!text.contains(hash)) }
            }
        }
    }
}
