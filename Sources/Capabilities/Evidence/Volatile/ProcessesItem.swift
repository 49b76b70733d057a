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
    /// For what threads wait for and what is mapped, which other locks guard.
    private let depths = ImpatientReader(patience: .seconds(2))
    /// Withholds what looks like a secret.
    let secrets = SecretDigest()
    private var holderCount = 0
    /// What each process that could be read told of itself besides its line, for parked data.
    private(set) var parking = ProcessParking()
    /// Who holds which socket, by its inode.
    private(set) var sockets: [UInt64: [Holder]] = [:]
    /// Files without a name, in the order in which they were found.
    private(set) var deletedFiles: [DeletedFile] = []
    private var deletedIndex: [FileIdentity: Int] = [:]
    /// A process to look through, for each mount namespace and for each network namespace.
    private(set) var mountNamespaces: [(inode: UInt64, pin: ProcessPin, prefix: String)] = []
    /// With the link below /proc/PID that leads there: `ns/net`, or `fd/7` of one that only a descriptor holds.
    private(set) var networkNamespaces: [(inode: UInt64, pin: ProcessPin, link: String)] = []
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
            return item.skipped(meter.stopWord)
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
        let cut = reading.descriptors.filter { $0.information.detailsLeftOut > 0 }.count
        if cut > 0 { return item.partial("not all that the kernel tells of \(cut) descriptors is listed") }
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
        if reading.hasMemory { readMemory(of: pin, &reading) }
        return reading
    }

    /// What locks guard that a session can hold: the texts, what threads wait for, what is mapped.
    private func readMemory(of pin: ProcessPin, _ reading: inout ProcessReading) {
        let host = self.host
        let digest = secrets
        let prefix = reading.prefix
        let found = answer(texts, "read the arguments and the environment", pin) { () throws(Failure) in
            try ProcessTexts(pin, through: prefix, digest, on: host)
        }
        reading.take(found)
        let threads = reading.threads.map(\.stat.pid)
        let deadline = Deadline(after: .milliseconds(1500))
        switch answer(
            depths,
            "read what threads wait for",
            pin,
            { () throws(Failure) in
                try ThreadDepths.read(pin, threads, on: host, by: deadline)
            }
        ) {
        case .success(let found):
            reading.depths = found
            // All of them stand in the lines of the threads; here the first, which makes the process partial.
            reading.gaps += threads.lazy.compactMap { found[$0]?.gaps.first }.prefix(1)
            if found.count < threads.count {
                let missing = threads.count - found.count
                reading.gaps.append(
                    Failure(.refused, "look at every thread", on: "\(pin.pid)", because: "\(missing) are told briefly")
                )
            }
        case .failure(let failure): reading.gaps.append(failure)
        }
        // The same lock as that of the texts: whoever holds it would make us wait twice.
        if case .failure(let failure) = found, failure.code == .timedOut { return }
        switch answer(
            depths,
            "read what is mapped",
            pin,
            { () throws(Failure) in
                try MappedFile.all(of: pin, through: prefix, on: host)
            }
        ) {
        case .success(let (files, gaps)):
            reading.mapped = files
            reading.gaps += gaps
        case .failure(let failure): reading.gaps.append(failure)
        }
    }

    private func answer<Answer: Sendable>(
        _ reader: ImpatientReader,
        _ what: String,
        _ pin: ProcessPin,
        _ body: @escaping @Sendable () throws(Failure) -> Answer
    ) -> Result<Answer, Failure> {
        do throws(Failure) {
            return try reader.read(what, on: "\(pin.pid)") { () -> Result<Answer, Failure> in
                do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
            }
        } catch {
            return .failure(error)
        }
    }

    private func remember(_ reading: ProcessReading, of pin: ProcessPin) {
        if let inode = reading.mountNamespace, !mountNamespaces.contains(where: { $0.inode == inode }) {
            mountNamespaces.append((inode, pin, reading.prefix))
        }
        if let inode = reading.networkNamespace { knowNetwork(inode, pin, reading.prefix + "ns/net") }
        parking.take(reading, of: pin)
        for open in reading.descriptors {
            let holder = Holder(
                pin: pin,
                link: "\(reading.prefix)fd/\(open.number)",
                position: open.information.position,
                flags: open.information.flags
            )
            if let inode = open.socketInode, hasRoom() { sockets[inode, default: []].append(holder) }
            if let inode = open.number(after: "net:[") { knowNetwork(inode, pin, holder.link) }
            if open.isDeletedFile, let facts = open.facts { add(holder, of: open.target, facts) }
        }
        for file in reading.mapped where file.segment == nil && !file.isSharedMemory {
            add(Holder(pin: pin, link: file.link, position: nil, flags: nil), of: file.target, file.facts)
        }
        if let executable = reading.executable, let facts = executable.facts, executable.isDeleted,
            facts.kind == .file
        {
            let holder = Holder(pin: pin, link: reading.prefix + "exe", position: nil, flags: nil)
            add(holder, of: executable.path, facts)
        }
    }

    private func knowNetwork(_ inode: UInt64, _ pin: ProcessPin, _ link: String) {
        if !networkNamespaces.contains(where: { $0.inode == inode }) { networkNamespaces.append((inode, pin, link)) }
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
