import Base
import Bundles
import Glibc
import Kernel

/// data/parked.jsonl and data/parked/: what lies in the kernel and in no file (RT29). One item a kind, and one for each
/// segment or queue whose content was to be taken.
final class ParkedItem {
    let processes: ProcessesItem
    let copier: RawCopier
    let host: Host
    /// For what may hang: tables of other namespaces, paths of the session.
    let reader: ImpatientReader
    /// Sockets of the session with abstract names, as the dump of sockets found them.
    let abstractSockets: [JSONObject]
    private let log: CollectionLog
    private let stream: PayloadStream
    private var contents = 0
    /// Lines that the budget did not have room for.
    private var untold: [ParkedKind: Int] = [:]

    init(
        processes: ProcessesItem,
        copier: RawCopier,
        host: Host,
        reader: ImpatientReader,
        abstractSockets: [JSONObject],
        log: CollectionLog
    ) throws(Failure) {
        self.processes = processes
        self.copier = copier
        self.host = host
        self.reader = reader
        self.abstractSockets = abstractSockets
        self.log = log
        stream = try copier.writer.stream(try PayloadName("data/parked.jsonl"))
    }

    func collect() throws(Failure) {
        let systemV = try SystemVItem(self).collect()
        for kind in ParkedKind.allCases {
            copier.meter.countObject()
            if copier.meter.mustStop() {
                try log.end(kind.item.skipped(copier.meter.stopWord))
                continue
            }
            var ended = try collect(kind, systemV)
            if let lines = untold[kind], ended.outcome != .failed {
                ended = ended.partial((ended.reason.map { $0 + "; " } ?? "") + "over the budget: \(lines) lines")
            }
            if ended.outcome != .failed, ended.outcome != .skipped { ended.member = stream.name.text }
            try log.end(kind == .keys || kind == .overmounts ? ended : processes.judge(ended))
        }
        try stream.close()
    }

    private func collect(_ kind: ParkedKind, _ systemV: SystemVItem.Endings) throws(Failure) -> CollectionItem {
        switch kind {
        case .segments: return systemV.segments
        case .semaphores: return systemV.semaphores
        case .messages: return systemV.messages
        case .queues: return try PosixQueues(self).collect()
        case .keys: return try ParkedKeys(self).collect()
        case .rings: return try ParkedRings(self).collect()
        case .bpf: return try ParkedBPF(self).collect()
        case .inFlight: return try inFlight()
        case .namespaces: return try ParkedNamespaces(self).collect()
        case .events: return try events()
        case .overmounts: return try Overmounts(self).collect()
        case .abstractSockets:
            for socket in abstractSockets { try tell(kind, socket) }
            return kind.item
        }
    }

    /// Writes a line of data/parked.jsonl, or counts it when the budget does not have room for it.
    ///
    /// - Throws: what the bundle throws.
    func tell(_ kind: ParkedKind, _ object: JSONObject) throws(Failure) {
        var line = object
        line["parked"] = .string(kind.rawValue)
        let bytes = CanonicalJSON.bytes(of: .object(line)) + [UInt8(ascii: "\n")]
        guard copier.budget.take(UInt64(bytes.count)) else {
            untold[kind, default: 0] += 1
            return
        }
        try stream.append(bytes)
    }

    /// Ends an item that was found on the way: a segment, a queue.
    func record(_ item: CollectionItem) throws(Failure) { try log.record(item) }

    /// The next payload name for content.
    func nextName() throws(Failure) -> PayloadName {
        contents += 1
        return try PayloadName("data/parked/\(contents)")
    }

    /// What `body` gives, on a thread that may be left behind and that ends after it.
    func ask<Answer: Sendable>(
        _ what: String,
        on subject: String,
        _ body: @escaping @Sendable () throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        let answer = try reader.read(what, on: subject) { () -> Result<Answer, Failure> in
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try answer.get()
    }

    private func inFlight() throws(Failure) -> CollectionItem {
        let parking = processes.parking
        for carrier in parking.carriers {
            var line = carrier.line
            line["type"] = .string("unix socket")
            line["inode"] = carrier.information.inode.map { .string(String($0)) }
            try tell(.inFlight, line)
        }
        guard parking.waiting > 0 else { return ParkedKind.inFlight.item }
        let unlisted = parking.carriersLeftOut > 0 ? "; \(parking.carriersLeftOut) of the sockets are not listed" : ""
        return ParkedKind.inFlight.item.partial(
            "\(parking.waiting) descriptors wait in queues of unix sockets: the kernel counts them and gives them only to who "
                + "receives them, which would take them from the session\(unlisted)"
        )
    }

    private static let notEvents: Set<String> = ["io_uring", "bpf-map", "bpf-prog", "bpf_link", "bpf-link", "btf"]

    private func events() throws(Failure) -> CollectionItem {
        for special in processes.parking.specials where !ParkedItem.notEvents.contains(special.kind) {
            try tell(.events, special.line)
        }
        let more = processes.parking.specialsLeftOut
        return more > 0 ? ParkedKind.events.item.partial("\(more) descriptors are not listed") : ParkedKind.events.item
    }
}
