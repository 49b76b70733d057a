import Base
import Kernel

extension ProcessReading {
    /// The line of data/processes.jsonl. Values of environment variables that look like secrets never stand in it.
    func line(for subject: CaptureSubject, on host: Host) -> JSONValue {
        var line = JSONObject()
        line["pid"] = .integer(Int64(stat.pid))
        line["startTicks"] = .integer(Int64(clamping: stat.numbers.startTicks))
        line["started"] = .string("\(host.started(atTicks: stat.numbers.startTicks).earliest)")
        line["ppid"] = .integer(Int64(stat.numbers.parent))
        line["group"] = .integer(Int64(stat.numbers.group))
        line["session"] = .integer(Int64(stat.numbers.session))
        line["comm"] = stat.name.json
        line["state"] = .string(ProcessReading.letter(stat.numbers.state))
        line["argv"] = .array(arguments.map(\.json))
        describeFootings(in: &line)
        line["cgroups"] = .array(cgroups.map(\.json))
        line["uid"] = status?.uids.first.map { .integer(Int64($0)) }
        line["gid"] = status?.gids.first.map { .integer(Int64($0)) }
        status?.describe(in: &line)
        line["limits"] = limits?.json
        line["mountNamespace"] = mountNamespace.map { .integer(Int64(clamping: $0)) }
        line["networkNamespace"] = networkNamespace.map { .integer(Int64(clamping: $0)) }
        var spaces = JSONObject()
        for (name, inode) in namespaces { spaces[name] = .integer(Int64(clamping: inode)) }
        line["namespaces"] = .object(spaces)
        line["membership"] = .string(subject.membership.rawValue)
        line["marks"] = .array(subject.marks.map(JSONValue.string))
        line["environNames"] = .array(environment.compactMap { $0.name?.json })
        line["environ"] = .array(environment.map { $0.json(of: stat.pid) })
        if unnamedEntries > 0 { line["environUnnamed"] = .integer(Int64(unnamedEntries)) }
        line["openFiles"] = .array(descriptors.map(\.json))
        line["mappedDeleted"] = mapped.isEmpty ? nil : .array(mapped.map(\.json))
        line["threads"] = .array(threads.map { told($0.stat, $0.cgroups, on: host) })
        if !gaps.isEmpty { line["gaps"] = .array(gaps.map { .string($0.description) }) }
        return .object(line)
    }

    private func describeFootings(in line: inout JSONObject) {
        line["exe"] = executable?.path.json
        line["exeDeleted"] = executable.map { .bool($0.isDeleted && $0.facts?.kind == .file) }
        line["exeFile"] = executable?.facts?.place
        line["cwd"] = workingDirectory?.path.json
        line["cwdDeleted"] = workingDirectory.map { .bool($0.isDeleted) }
        line["cwdFile"] = workingDirectory?.facts?.place
        line["root"] = root?.path.json
        line["rootDeleted"] = root.map { .bool($0.isDeleted) }
        line["rootFile"] = root?.facts?.place
    }

    private func told(_ thread: ProcessStat, _ places: [CgroupLine], on host: Host) -> JSONValue {
        var told = JSONObject()
        told["tid"] = .integer(Int64(thread.pid))
        told["comm"] = thread.name.json
        told["state"] = .string(ProcessReading.letter(thread.numbers.state))
        told["startTicks"] = .integer(Int64(clamping: thread.numbers.startTicks))
        told["started"] = .string("\(host.started(atTicks: thread.numbers.startTicks).earliest)")
        // Told only where a thread stands elsewhere than its process (RT5).
        if places != cgroups { told["cgroups"] = .array(places.map(\.json)) }
        depths[thread.pid]?.describe(in: &told)
        return .object(told)
    }

    private static func letter(_ state: UInt8) -> String { String(Unicode.Scalar(state)) }
}

extension CgroupLine {
    fileprivate var json: JSONValue { ["hierarchy": .string(hierarchy), "path": path.json] }
}

extension FileFacts {
    /// Device and inode: which object it is, whatever it is called.
    fileprivate var place: JSONValue {
        [
            "device": .string("\(identity.device.major):\(identity.device.minor)"),
            "inode": .string(String(identity.inode)),
        ]
    }
}

extension MappedFile {
    fileprivate var json: JSONValue {
        var line = JSONObject()
        line["link"] = .string(link)
        line["target"] = target.json
        line["inode"] = .string(String(facts.identity.inode))
        line["device"] = .string("\(facts.identity.device.major):\(facts.identity.device.minor)")
        line["size"] = .integer(Int64(clamping: facts.size))
        line["segment"] = segment.map { .integer(Int64(clamping: $0)) }
        if isSharedMemory { line["sharedMemory"] = .bool(true) }
        return .object(line)
    }
}

extension ProcessReading.Descriptor {
    fileprivate var json: JSONValue {
        var line = JSONObject()
        line["fd"] = .integer(Int64(number))
        line["target"] = target.json
        line["position"] = information.position.map { .integer(Int64(clamping: $0)) }
        line["flags"] = information.flags.map { .string("0" + String($0, radix: 8)) }
        line["mount"] = information.mount.map { .integer(Int64($0)) }
        if !information.details.isEmpty { line["details"] = information.detailLines }
        if information.detailsLeftOut > 0 { line["detailsLeftOut"] = .integer(Int64(information.detailsLeftOut)) }
        guard let facts else { return .object(line) }
        line["kind"] = .string(facts.kind.rawValue)
        line["inode"] = .string(String(facts.identity.inode))
        line["device"] = .string("\(facts.identity.device.major):\(facts.identity.device.minor)")
        line["size"] = .integer(Int64(clamping: facts.size))
        line["deleted"] = .bool(isDeletedFile)
        return .object(line)
    }
}
