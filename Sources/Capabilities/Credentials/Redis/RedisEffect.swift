/// The steps of a revocation at a Redis server. Each can be performed, probed and, but for killed connections, undone by
/// itself.
public enum RedisEffect: Hashable, Sendable, Codable {
    /// `ACL SETUSER principal off`: no new login. Undone by ``enable(principal:)`` when it was on before.
    case disable(principal: String, wasEnabled: Bool)
    /// `CLIENT KILL USER principal` until none is left: connections outlive the login otherwise.
    case endSessions(principal: String)
    /// `ACL SAVE`, else `CONFIG REWRITE`: the login would come back with a restart otherwise.
    case save(principal: String, enabled: Bool)
    /// `ACL SETUSER principal on`, then saved as far as the server can: the undo of ``disable(principal:wasEnabled:)``.
    case enable(principal: String)

    /// Whose credential it is.
    public var principal: String {
        switch self {
        case .disable(let principal, _), .endSessions(let principal), .save(let principal, _),
            .enable(let principal):
            principal
        }
    }
}
