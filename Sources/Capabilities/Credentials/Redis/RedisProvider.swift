public import Base
public import Kernel

/// Takes away the ACL user of an agent at a Redis or Valkey server on this host (redis.io/docs/management/security/acl).
public struct RedisProvider: Provider {
    /// `redis`
    public static let name = "redis"

    private let host: Host

    /// Needs this machine to find out who serves.
    public init(on host: Host) { self.host = host }

    /// Finds the user, tries its password when one is declared, counts its connections.
    ///
    /// - Throws: `refused` when the server is not the declared one, or does not know the user; nothing is ever created.
    public func inspect(_ target: RevocationTarget, by deadline: Deadline) throws(Failure) -> RedisObservation {
        let handle = target.credential.handle
        guard handle.provider == Self.name else {
            throw Failure(.refused, "revoke", on: "\(handle)", because: "it is not a Redis credential")
        }
        var admin = try RedisAdministration(target, on: host, by: deadline)
        guard let user = try admin.user(by: deadline) else {
            throw Failure(
                .refused,
                "revoke",
                on: "\(handle)",
                because: "the server does not know this user, and naming it would create it",
                hint: "correct the principal in the inventory"
            )
        }
        // Counted before the trial, whose own connection would be one more.
        let sessions = try admin.sessions(by: deadline)
        let (trial, untried) = try tryPassword(of: target, by: deadline)
        let standing: Standing = user.isEnabled ? .enabled : .disabled
        let saved = RedisSavedUsers.standing(of: handle.principal, in: try admin.file(by: deadline))
        return RedisObservation(
            server: admin.server,
            user: user,
            sighting: Sighting(trial: trial, standing: standing, sessions: sessions, untried: untried),
            isOffOnDisk: saved == .disabled,
            seen: .now()
        )
    }

    /// Off, sessions, save; what is there already is left out.
    public func plan(_ target: RevocationTarget, from seen: RedisObservation) -> [RedisEffect] {
        let principal = target.credential.handle.principal
        var effects: [RedisEffect] = []
        if seen.user.isEnabled { effects.append(.disable(principal: principal, wasEnabled: true)) }
        if seen.user.isEnabled || seen.sighting.sessions != 0 { effects.append(.endSessions(principal: principal)) }
        if !seen.isOffOnDisk || seen.user.isEnabled { effects.append(.save(principal: principal, enabled: false)) }
        return effects
    }

    /// Off and the end of the sessions decide; saving does not.
    public func isDecisive(_ effect: RedisEffect) -> Bool {
        switch effect {
        case .disable, .endSessions: true
        case .save, .enable: false
        }
    }

    /// Does one step over a connection of its own.
    public func perform(
        _ effect: RedisEffect,
        on target: RevocationTarget,
        by deadline: Deadline
    ) throws(Failure) {
        try check(effect, is: target)
        var admin = try RedisAdministration(target, on: host, by: deadline)
        switch effect {
        case .disable: try admin.set(enabled: false, by: deadline)
        case .endSessions: try admin.endSessions(by: deadline)
        case .save: try admin.save(by: deadline)
        case .enable:
            try admin.set(enabled: true, by: deadline)
            if try admin.file(by: deadline) != nil { try admin.save(by: deadline) }
        }
    }

    /// Asks the server, or reads its file back.
    public func probe(
        _ effect: RedisEffect,
        on target: RevocationTarget,
        by deadline: Deadline
    ) throws(Failure) -> EffectStanding {
        try check(effect, is: target)
        var admin = try RedisAdministration(target, on: host, by: deadline)
        switch effect {
        case .disable: return try admin.user(by: deadline)?.isEnabled == true ? .notDone : .done
        case .enable: return try admin.user(by: deadline)?.isEnabled == true ? .done : .notDone
        case .endSessions:
            let left = try admin.sessions(by: deadline)
            return left == 0 ? .done : .partly("\(left) still connected")
        case .save(let principal, let enabled):
            switch RedisSavedUsers.standing(of: principal, in: try admin.file(by: deadline)) {
            case .enabled: return enabled ? .done : .notDone
            case .disabled: return enabled ? .notDone : .done
            case .missing: return .notDone
            case .notKnown: return .cannotTell("the server has no file of its users that can be read")
            }
        }
    }

    /// A login that was on can be switched on again, and what was saved can be saved again by that; connections are gone.
    public func undo(_ effect: RedisEffect) -> RedisEffect? {
        switch effect {
        case .disable(let principal, wasEnabled: true): .enable(principal: principal)
        case .disable, .endSessions, .save, .enable: nil
        }
    }

    /// Tries the password again, asks for the user, counts the connections, reads the saved file, looks for others with the
    /// same password.
    public func verify(
        _ target: RevocationTarget,
        since seen: RedisObservation,
        asked: Bool,
        by deadline: Deadline
    ) throws(Failure) -> Receipt {
        let handle = target.credential.handle
        var admin = try RedisAdministration(target, on: host, by: deadline)
        let (trial, untried) = try tryPassword(of: target, by: deadline)
        let standing: Standing =
            switch try admin.user(by: deadline)?.isEnabled {
            case true?: .enabled
            case false?: .disabled
            case nil: .missing
            }
        let sessions = try admin.sessions(by: deadline)
        return Receipt(
            credential: target.credential.id,
            handle: handle,
            server: admin.server,
            before: seen.sighting,
            asked: asked,
            after: Sighting(trial: trial, standing: standing, sessions: sessions, untried: untried),
            persistence: persistence(of: handle.principal, in: try admin.file(by: deadline)),
            siblings: try admin.siblings(by: deadline),
            began: seen.seen,
            ended: .now()
        )
    }

    private func persistence(of principal: String, in file: BytePath?) -> Persistence {
        guard let file else { return .untilRestart }
        switch RedisSavedUsers.standing(of: principal, in: file) {
        case .disabled: return .seenOnDisk
        case .enabled: return .untilRestart
        // A configuration may include others, so a missing line says nothing.
        case .missing, .notKnown: return .notKnown
        }
    }

    /// Logs in as the agent, on a connection of its own to the identified server.
    private func tryPassword(
        of target: RevocationTarget,
        by deadline: Deadline
    ) throws(Failure) -> (Trial, untried: String?) {
        guard let file = target.credential.secretFile else { return (.notTried, nil) }
        let secret: Secret
        do throws(Failure) { secret = try SecretFile.readProbe(file) } catch { return (.notTried, error.description) }
        var connection = try RedisConnection(target, on: host, by: deadline)
        let user = target.credential.handle.principal
        let reply = try connection.call([.text("AUTH"), .text(user), .secret(secret)], by: deadline)
        if reply.isOK { return (.accepted, nil) }
        guard case .error(let error) = reply else { return (.notTried, "the server said neither yes nor no") }
        return error.code == "WRONGPASS" ? (.refused, nil) : (.notTried, "the server said \(error.code)")
    }

    private func check(_ effect: RedisEffect, is target: RevocationTarget) throws(Failure) {
        guard effect.principal == target.credential.handle.principal else {
            throw Failure(
                .refused,
                "change the ACL user",
                on: effect.principal,
                because: "the step was planned for another credential"
            )
        }
    }
}
