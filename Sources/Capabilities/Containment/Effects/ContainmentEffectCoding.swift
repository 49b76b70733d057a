public import Base

/// An effect in the journal: `{"freeze":{"group":…,"requestedBefore":false}}`, as Swift would synthesize it. It is written
/// by hand because the synthesized form makes the runtime look for the conformance of one key type for each case before
/// the first byte, which is a fourteenth of what a freeze does before it freezes (docs/benchmarks.md).
extension ContainmentEffect: Codable {
    /// The names of all cases and of what they carry.
    private enum Word: String, CodingKey {
        case freeze
        case thaw
        case makeGroup
        case removeGroup
        case move
        case moveThread
        case attachDrop
        case detachDrop
        case signal
        case killGroup
        case recordSockets
        case destroySockets
        case beginTrial
        case endTrial
        case addTable
        case removeTable
        case makeHold
        case hold
        case letGo
        case holdCarrier
        case letCarrierGo
        case holdUnit
        case letUnitGo
        case stopUnit
        case startUnit
        case quietWatchdog
        case wakeWatchdog
        case holdEntry
        case letEntryGo
        case pauseMachine
        case continueMachine
        case unit
        case dropIn
        case systemctl
        case monitor
        case group
        case requestedBefore
        case hierarchy
        case name
        case process
        case from
        case to
        case thread
        case program
        case number
        case unnamed = "_0"
        case networkNamespace
        case cookies
        case parent
        case into
    }

    /// What an encoder gives; for the effects that come before the kernel's word, without one.
    ///
    /// - Throws: `malformed` when it cannot be encoded.
    public func entry() throws(Failure) -> JSONValue {
        guard case .freeze(let group, let requestedBefore) = self else { return try JSONEncoding.value(of: self) }
        return ["freeze": ["group": group.jsonValue, "requestedBefore": .bool(requestedBefore)]]
    }

    /// Writes one member, the effect's name, with what it carries.
    public func encode(to encoder: any Encoder) throws {
        var effect = encoder.container(keyedBy: JSONKey.self)
        let name = JSONKey(stringValue: word.rawValue)
        var parts = WrittenParts(container: effect.nestedContainer(keyedBy: JSONKey.self, forKey: name))
        switch self {
        case .freeze(let group, let requestedBefore):
            try parts.encode(group, forKey: .group)
            try parts.encode(requestedBefore, forKey: .requestedBefore)
        case .thaw(let group):
            try parts.encode(group, forKey: .group)
        case .makeGroup(let hierarchy, let name):
            try parts.encode(hierarchy, forKey: .hierarchy)
            try parts.encode(name, forKey: .name)
        case .removeGroup(let group):
            try parts.encode(group, forKey: .group)
        case .move(let process, let from, let to):
            try parts.encode(process, forKey: .process)
            try parts.encode(from, forKey: .from)
            try parts.encode(to, forKey: .to)
        case .moveThread(let process, let thread, let from, let to):
            try parts.encode(process, forKey: .process)
            try parts.encode(thread, forKey: .thread)
            try parts.encode(from, forKey: .from)
            try parts.encode(to, forKey: .to)
        case .attachDrop(let group, let program):
            try parts.encode(group, forKey: .group)
            try parts.encode(program, forKey: .program)
        case .detachDrop(let group, let program):
            try parts.encode(group, forKey: .group)
            try parts.encode(program, forKey: .program)
        case .signal(let process, let number):
            try parts.encode(process, forKey: .process)
            try parts.encode(number, forKey: .number)
        case .killGroup(let group):
            try parts.encode(group, forKey: .group)
        case .recordSockets(let value):
            try parts.encode(value, forKey: .unnamed)
        case .destroySockets(let networkNamespace, let cookies):
            try parts.encode(networkNamespace, forKey: .networkNamespace)
            try parts.encode(cookies, forKey: .cookies)
        case .beginTrial(let parent, let name):
            try parts.encode(parent, forKey: .parent)
            try parts.encode(name, forKey: .name)
        case .endTrial(let parent, let name):
            try parts.encode(parent, forKey: .parent)
            try parts.encode(name, forKey: .name)
        case .addTable(let value):
            try parts.encode(value, forKey: .unnamed)
        case .removeTable(let value):
            try parts.encode(value, forKey: .unnamed)
        case .holdEntry(let value), .letEntryGo(let value):
            try parts.encode(value, forKey: .unnamed)
        case .quietWatchdog(let value), .wakeWatchdog(let value):
            try parts.encode(value, forKey: .unnamed)
        case .makeHold(let hierarchy, let name):
            try parts.encode(hierarchy, forKey: .hierarchy)
            try parts.encode(name, forKey: .name)
        case .hold(let process, let from, let into), .holdCarrier(let process, let from, let into):
            try parts.encode(process, forKey: .process)
            try parts.encode(from, forKey: .from)
            try parts.encode(into, forKey: .into)
        case .letGo(let process, let from, let to), .letCarrierGo(let process, let from, let to):
            try parts.encode(process, forKey: .process)
            try parts.encode(from, forKey: .from)
            try parts.encode(to, forKey: .to)
        case .holdUnit(let unit, let dropIn, let systemctl), .letUnitGo(let unit, let dropIn, let systemctl):
            try parts.encode(unit, forKey: .unit)
            try parts.encode(dropIn, forKey: .dropIn)
            try parts.encode(systemctl, forKey: .systemctl)
        case .stopUnit(let unit, let systemctl), .startUnit(let unit, let systemctl):
            try parts.encode(unit, forKey: .unit)
            try parts.encode(systemctl, forKey: .systemctl)
        case .pauseMachine(let process, let monitor), .continueMachine(let process, let monitor):
            try parts.encode(process, forKey: .process)
            try parts.encode(monitor, forKey: .monitor)
        }
    }

    private var word: Word {
        switch self {
        case .freeze: .freeze
        case .thaw: .thaw
        case .makeGroup: .makeGroup
        case .removeGroup: .removeGroup
        case .move: .move
        case .moveThread: .moveThread
        case .attachDrop: .attachDrop
        case .detachDrop: .detachDrop
        case .signal: .signal
        case .killGroup: .killGroup
        case .recordSockets: .recordSockets
        case .destroySockets: .destroySockets
        case .beginTrial: .beginTrial
        case .endTrial: .endTrial
        case .addTable: .addTable
        case .removeTable: .removeTable
        case .makeHold: .makeHold
        case .hold: .hold
        case .letGo: .letGo
        case .holdCarrier: .holdCarrier
        case .letCarrierGo: .letCarrierGo
        case .holdUnit: .holdUnit
        case .letUnitGo: .letUnitGo
        case .stopUnit: .stopUnit
        case .startUnit: .startUnit
        case .quietWatchdog: .quietWatchdog
        case .wakeWatchdog: .wakeWatchdog
        case .holdEntry: .holdEntry
        case .letEntryGo: .letEntryGo
        case .pauseMachine: .pauseMachine
        case .continueMachine: .continueMachine
        }
    }

    /// Reads what ``encode(to:)`` writes; other names, none or several are refused.
    public init(from decoder: any Decoder) throws {
        let effect = try decoder.container(keyedBy: Word.self)
        guard effect.allKeys.count == 1, let word = effect.allKeys.first else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "an effect has one name, and one that is known")
            )
        }
        let parts = Parts(container: try effect.nestedContainer(keyedBy: Word.self, forKey: word))
        switch word {
        case .freeze: self = try .freeze(group: parts[.group], requestedBefore: parts[.requestedBefore])
        case .thaw: self = try .thaw(group: parts[.group])
        case .makeGroup: self = try .makeGroup(hierarchy: parts[.hierarchy], name: parts[.name])
        case .removeGroup: self = try .removeGroup(group: parts[.group])
        case .move: self = try .move(process: parts[.process], from: parts[.from], to: parts[.to])
        case .moveThread:
            self = try .moveThread(process: parts[.process], thread: parts[.thread], from: parts[.from], to: parts[.to])
        case .attachDrop: self = try .attachDrop(group: parts[.group], program: parts[.program])
        case .detachDrop: self = try .detachDrop(group: parts[.group], program: parts[.program])
        case .signal: self = try .signal(process: parts[.process], number: parts[.number])
        case .killGroup: self = try .killGroup(group: parts[.group])
        case .recordSockets: self = try .recordSockets(parts[.unnamed])
        case .destroySockets:
            self = try .destroySockets(networkNamespace: parts[.networkNamespace], cookies: parts[.cookies])
        case .beginTrial: self = try .beginTrial(parent: parts[.parent], name: parts[.name])
        case .endTrial: self = try .endTrial(parent: parts[.parent], name: parts[.name])
        case .addTable: self = try .addTable(parts[.unnamed])
        case .removeTable: self = try .removeTable(parts[.unnamed])
        case .makeHold: self = try .makeHold(hierarchy: parts[.hierarchy], name: parts[.name])
        case .hold: self = try .hold(process: parts[.process], from: parts[.from], into: parts[.into])
        case .letGo: self = try .letGo(process: parts[.process], from: parts[.from], to: parts[.to])
        case .holdCarrier:
            self = try .holdCarrier(process: parts[.process], from: parts[.from], into: parts[.into])
        case .letCarrierGo:
            self = try .letCarrierGo(process: parts[.process], from: parts[.from], to: parts[.to])
        case .holdUnit:
            self = try .holdUnit(unit: parts[.unit], dropIn: parts[.dropIn], systemctl: parts[.systemctl])
        case .letUnitGo:
            self = try .letUnitGo(unit: parts[.unit], dropIn: parts[.dropIn], systemctl: parts[.systemctl])
        case .stopUnit: self = try .stopUnit(unit: parts[.unit], systemctl: parts[.systemctl])
        case .startUnit: self = try .startUnit(unit: parts[.unit], systemctl: parts[.systemctl])
        case .quietWatchdog: self = try .quietWatchdog(parts[.unnamed])
        case .wakeWatchdog: self = try .wakeWatchdog(parts[.unnamed])
        case .holdEntry: self = try .holdEntry(parts[.unnamed])
        case .letEntryGo: self = try .letEntryGo(parts[.unnamed])
        case .pauseMachine: self = try .pauseMachine(process: parts[.process], monitor: parts[.monitor])
        case .continueMachine: self = try .continueMachine(process: parts[.process], monitor: parts[.monitor])
        default:
            throw DecodingError.dataCorruptedError(forKey: word, in: effect, debugDescription: "no effect is called so")
        }
    }

    /// The same on the way out, by the key type that all have which are written before a freeze.
    private struct WrittenParts {
        var container: KeyedEncodingContainer<JSONKey>

        mutating func encode(_ value: some Encodable, forKey word: Word) throws {
            try container.encode(value, forKey: JSONKey(stringValue: word.rawValue))
        }
    }

    /// What an effect carries, each by its name.
    private struct Parts {
        let container: KeyedDecodingContainer<Word>

        subscript<Value: Decodable>(word: Word) -> Value {
            get throws { try container.decode(Value.self, forKey: word) }
        }
    }
}
