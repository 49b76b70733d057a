public import Base

/// What earlier freezes of a session left standing, as a journal tells it: a freeze that is repeated, because a process
/// was killed in the middle or because a person asks again, takes it up instead of doing it twice.
public struct EarlierFreeze: Hashable, Sendable, Codable {
    /// Groups for whose freezing Quell had asked: to find them asked for says nothing about anybody else.
    public var frozen: [CgroupPin]
    /// Quell's own group for strays, and who was moved there.
    public var quarantine: CgroupPin?
    /// The processes that were moved into the quarantine.
    public var held: [ProcessPin]
    /// Quell's own group for guests, and who was moved there.
    public var aside: CgroupPin?
    /// The processes that were moved aside.
    public var spared: [ProcessPin]

    /// Takes all parts; without any there was no freeze before.
    public init(
        frozen: [CgroupPin] = [],
        quarantine: CgroupPin? = nil,
        held: [ProcessPin] = [],
        aside: CgroupPin? = nil,
        spared: [ProcessPin] = []
    ) {
        self.frozen = frozen
        self.quarantine = quarantine
        self.held = held
        self.aside = aside
        self.spared = spared
    }
}
