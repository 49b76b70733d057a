import Base
import Bundles
import Kernel

/// data/processes.jsonl: one line a process, and what later items need to know of all of them.
final class ProcessesItem {
    /// A descriptor of a process of the session.
    struct Holder: Hashable {
        let pin: ProcessPin
        /// Such as `fd/5` or `task/7/exe`, below /proc/PID.
        let link: String
        let position: UInt64?
        let flags: UInt32?
    }

    /// A file without a name that something of the session holds.
    struct DeletedFile {
        let target: BytePath
        let facts: FileFacts
        var holders: [Holder]
    }

    /// Holders that are remembered for all sockets and deleted files together.
    static let mostHolders = 262_144

    private let host: Host
    private let reader: ImpatientReader
    /// For what stands in the memory of processes, of which a session can make any number unreadable.
    private let texts: ImpatientReader
    private var holderCount = 0
    /// Who holds which socket, by its inode.
    private(set) var sockets: [UInt64: [Holder]] = [:]
    /// Files without a name, in the order in which they were found.
    private(set) var deletedFiles: [DeletedFile] = []
    private var deletedIndex: [FileIdentity: Int] = [:]
    /// A process to look through, for each mount namespace and for each network namespace.
    private(set) var mountNamespaces: [(inode: UInt64, pin: ProcessPin, prefix: String)] = []
    private(set) var networkNamespaces: [(inode: UInt64, pin: ProcessPin, prefix: String)] = []
    private(set) var holdersLeftOut = 0
    /// Processes that are there and could not be read, or not whole: what only they hold is not known here.
    private(set) var unread = 0

    init(on host: Host, reader: ImpatientReader, texts: ImpatientReader = ImpatientReader(patience: .seconds(1))) {
        self.host = host
        self.reader = reader
        self.texts = texts
    }

    /// Reads every subject once and writes its line.
    func collect(
        _ subjects: [CaptureSubject],
        to writer: BundleWriter,
        log: CollectionLog,
        meter: CaptureMeter,
        budget: CaptureBudget
    ) throws(Failure) {
        let name = try PayloadName("data/processes.jsonl")
        let stream = try writer.stream(name)
        var shortfalls = 0
        for subject in subjects.sorted(by: { $0.pin.pid < $1.pin.pid }) {
            let ended = try collect(subject, to: stream, meter: meter, budget: budget)
            if ended.outcome != .collected { shortfalls += 1 }
            try log.record(ended)
            meter.countObject()
        }
        try stream.close()
        var whole = CollectionItem(.processes)
        whole.member = name.text
        if shortfalls > 0 { whole = whole.partial("\(shortfalls) of \(subjects.count) processes are not whole") }
        try log.end(whole)
    }

    private func collect(
        _ subject: CaptureSubject,
        to stream: PayloadStream,
        meter: CaptureMeter,
        budget: CaptureBudget
    ) throws(Failure) -> CollectionItem {
        var item = CollectionItem(.process, path: BytePath("/proc/\(subject.pin.pid)"))
        if meter.mustStop() {
            unread += 1
            return item.skipped("cancelled")
        }
        let reading: ProcessReading
        do throws(Failure) {
            reading = try read(subject.pin)
        } catch {
            // One that is gone holds nothing any more.
            if error.code != .notFound, error.code != .changed { unread += 1 }
            return item.failed(error)
        }
        remember(reading, of: subject.pin)
        if !reading.gaps.isEmpty || reading.descriptorsLeftOut > 0 { unread += 1 }
        let line = CanonicalJSON.bytes(of: reading.line(for: subject, on: host)) + [UInt8(ascii: "\n")]
        guard budget.take(UInt64(line.count)) else { return item.skipped("over the budget") }
        try stream.append(line)
        item.member = stream.name.text
        if let gap = reading.gaps.first {
            return item.partial("\(reading.gaps.count) reads failed, the first: \(gap)", errno: gap.errno)
        }
        if reading.descriptorsLeftOut > 0 {
            return item.partial("\(reading.descriptorsLeftOut) descriptors are not listed")
        }
        return item
    }

    /// A class that is found through the processes is partial when some of them could not be read.
    func judge(_ item: CollectionItem) -> CollectionItem {
        var reasons = item.reason.map { [$0] } ?? []
        if holdersLeftOut > 0 { reasons.append("\(holdersLeftOut) holders are not listed") }
        if unread > 0 { reasons.append("\(unread) processes could not be read whole: what they hold may be missing") }
        guard reasons.count > (item.reason == nil ? 0 : 1) else { return item }
        var judged = item
        judged.reason = reasons.joined(separator: "; ")
        if judged.outcome == .collected { judged.outcome = .partial }
        return judged
    }

    private func read(_ pin: ProcessPin) throws(Failure) -> ProcessReading {
        let host = self.host
        let answer = try reader.read("read the process", on: "\(pin.pid)") { () -> Result<ProcessReading, Failure> in
            do throws(Failure) { return .success(try ProcessReading(pin, on: host)) } catch { return .failure(error) }
        }
        var reading = try answer.get()
        if reading.hasMemory { reading.take(readTexts(of: pin, through: reading.prefix)) }
        return reading
    }

    private func readTexts(of pin: ProcessPin, through prefix: String) -> Result<ProcessReading.Texts, Failure> {
        typealias Answer = Result<ProcessReading.Texts, Failure>
        let host = self.host
        do throws(Failure) {
            return try texts.read("read the arguments and the environment", on: "\(pin.pid)") { () -> Answer in
                do throws(Failure) {
                    return .success(try ProcessReading.Texts(pin, through: prefix, on: host))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            return .failure(error)
        }
    }

    private func remember(_ reading: ProcessReading, of pin: ProcessPin) {
        if let inode = reading.mountNamespace, !mountNamespaces.contains(where: { $0.inode == inode }) {
            mountNamespaces.append((inode, pin, reading.prefix))
        }
        if let inode = reading.networkNamespace, !networkNamespaces.contains(where: { $0.inode == inode }) {
            networkNamespaces.append((inode, pin, reading.prefix))
        }
        for open in reading.descriptors {
            let holder = Holder(
                pin: pin,
                link: "\(reading.prefix)fd/\(open.number)",
                position: open.position,
                flags: open.flags
            )
            if let inode = open.socketInode, hasRoom() { sockets[inode, default: []].append(holder) }
            if open.isDeletedFile, let facts = open.facts { add(holder, of: open.target, facts) }
        }
        if reading.isExecutableDeleted, let target = reading.executable, let facts = reading.executableFacts {
            let holder = Holder(pin: pin, link: reading.prefix + "exe", position: nil, flags: nil)
            add(holder, of: target, facts)
        }
    }

    private func add(_ holder: Holder, of target: BytePath, _ facts: FileFacts) {
        guard hasRoom() else { return }
        if let index = deletedIndex[facts.identity] {
            deletedFiles[index].holders.append(holder)
        } else {
            deletedIndex[facts.identity] = deletedFiles.count
            deletedFiles.append(DeletedFile(target: target, facts: facts, holders: [holder]))
        }
    }

    private func hasRoom() -> Bool {
        guard holderCount < ProcessesItem.mostHolders else {
            holdersLeftOut += 1
            return false
        }
        holderCount += 1
        return true
    }
}

extension ProcessReading {
    /// The line of data/processes.jsonl. Values of environment variables never stand in it.
    func line(for subject: CaptureSubject, on host: Host) -> JSONValue {
        var line = JSONObject()
        line["pid"] = .integer(Int64(stat.pid))
        line["startTicks"] = .integer(Int64(clamping: stat.numbers.startTicks))
        line["started"] = .string("\(host.started(atTicks: stat.numbers.startTicks).earliest)")
        line["ppid"] = .integer(Int64(stat.numbers.parent))
        line["comm"] = stat.name.json
        line["state"] = .string(ProcessReading.letter(stat.numbers.state))
        line["argv"] = .array(arguments.map(\.json))
        line["exe"] = executable?.json
        line["exeDeleted"] = executable == nil ? nil : .bool(isExecutableDeleted)
        line["cwd"] = workingDirectory?.json
        line["cgroups"] = .array(cgroups.map(\.json))
        line["uid"] = status?.uids.first.map { .integer(Int64($0)) }
        line["gid"] = status?.gids.first.map { .integer(Int64($0)) }
        line["mountNamespace"] = mountNamespace.map { .integer(Int64(clamping: $0)) }
        line["networkNamespace"] = networkNamespace.map { .integer(Int64(clamping: $0)) }
        line["membership"] = .string(subject.membership.rawValue)
        line["marks"] = .array(subject.marks.map(JSONValue.string))
        line["environNames"] = .array(environmentNames.map(\.json))
        line["openFiles"] = .array(descriptors.map(\.json))
        line["threads"] = .array(
            threads.map { thread in
                var told = JSONObject()
                told["tid"] = .integer(Int64(thread.stat.pid))
                told["state"] = .string(ProcessReading.letter(thread.stat.numbers.state))
                // Told only where a thread stands elsewhere than its process (RT5).
                if thread.cgroups != cgroups { told["cgroups"] = .array(thread.cgroups.map(\.json)) }
                return .object(told)
            }
        )
        if !gaps.isEmpty { line["gaps"] = .array(gaps.map { .string($0.description) }) }
        return .object(line)
    }

    private static func letter(_ state: UInt8) -> String { String(Unicode.Scalar(state)) }
}

extension CgroupLine {
    fileprivate var json: JSONValue { ["hierarchy": .string(hierarchy), "path": path.json] }
}

extension ProcessReading.Descriptor {
    fileprivate var json: JSONValue {
        var line = JSONObject()
        line["fd"] = .integer(Int64(number))
        line["target"] = target.json
        line["position"] = position.map { .integer(Int64(clamping: $0)) }
        line["flags"] = flags.map { .string("0" + String($0, radix: 8)) }
        guard let facts else { return .object(line) }
        line["kind"] = .string(facts.kind.rawValue)
        line["inode"] = .string(String(facts.identity.inode))
        line["device"] = .string("\(facts.identity.device.major):\(facts.identity.device.minor)")
        line["size"] = .integer(Int64(clamping: facts.size))
        line["deleted"] = .bool(isDeletedFile)
        return .object(line)
    }
}
