import Base
import CParked
import Glibc
import Kernel

/// A line of /proc/keys. Source: keyrings(7), proc_keys(5).
struct KeyLine: Hashable, Sendable {
    let serial: Int32
    let flags: String
    let timeout: String
    let permissions: String
    let uid: UInt32
    let type: String
    /// Whatever its maker called it.
    let description: BytePath

    /// Types whose content is told by the line itself, or is no secret of anybody: links, names, public keys.
    private static let open: Set<String> = ["keyring", "asymmetric", "blacklist", "dns_resolver", "id_resolver"]

    /// `nil` for a line of another form.
    init?(parsing line: ArraySlice<UInt8>) {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 8, omittingEmptySubsequences: true)
        guard fields.count == 9 else { return nil }
        let words = fields.prefix(8).map { String(decoding: $0, as: UTF8.self) }
        guard let serial = UInt32(words[0], radix: 16), let uid = Int64(words[5]) else { return nil }
        self.serial = Int32(bitPattern: serial)
        flags = words[1]
        timeout = words[3]
        permissions = words[4]
        self.uid = UInt32(truncatingIfNeeded: uid)
        type = words[7]
        description = BytePath(Array(fields[8].drop { $0 == UInt8(ascii: " ") }))
    }

    var hasPayload: Bool { !KeyLine.open.contains(type) }
}

/// Keys of one user: those that count in the user's quota, and those that do not, which the kernel makes for itself.
/// Source: keyrings(7), /proc/key-users; security/keys/proc.c of Linux.
struct KeyCount: Hashable, Sendable {
    private(set) var inQuota = 0
    private(set) var others = 0

    /// Counts one more.
    mutating func add(_ key: KeyLine) {
        if key.flags.contains("Q") { inQuota += 1 } else { others += 1 }
    }

    /// `UID: USAGE NKEYS/NIKEYS QNKEYS/MAXKEYS QNBYTES/MAXBYTES`, a line a user; a line of another form is left out.
    static func parse(_ text: [UInt8]) -> [UInt32: KeyCount] {
        var found: [UInt32: KeyCount] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard words.count == 5, let uid = UInt32(words[0].dropLast()), let all = first(words[2]),
                let inQuota = first(words[3])
            else { continue }
            found[uid] = KeyCount(inQuota: inQuota, others: max(0, all - inQuota))
        }
        return found
    }

    private static func first(_ word: Substring) -> Int? {
        Int(word.prefix { $0 != "/" }).flatMap { $0 >= 0 ? $0 : nil }
    }
}

/// Keys of the session's users as the kernel shows them to Quell: each by its description; a payload that may be read
/// becomes a handle, for it is a secret.
struct ParkedKeys {
    private let parked: ParkedItem

    init(_ parked: ParkedItem) { self.parked = parked }

    func collect() throws(Failure) -> CollectionItem {
        let text: [UInt8]
        do throws(Failure) {
            let path = BytePath("keys")
            text = try parked.host.proc.descriptor.open(path, O_RDONLY).readToEnd(limit: 16 << 20, from: path)
        } catch {
            return ParkedKind.keys.item.failed(error)
        }
        var closed = 0
        var shown: [UInt32: KeyCount] = [:]
        let uids = parked.processes.parking.uids
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let key = KeyLine(parsing: line), uids.contains(key.uid) else { continue }
            shown[key.uid, default: KeyCount()].add(key)
            var told = told(key)
            if key.hasPayload, !addPayload(of: key, to: &told) { closed += 1 }
            try parked.tell(.keys, told)
        }
        var reasons: [String] = []
        if closed > 0 {
            reasons.append(
                "the payload of \(closed) keys: the kernel gives it only to who possesses them; they are described"
            )
        }
        reasons += try hidden(besides: shown, of: uids)
        if parked.processes.parking.withoutUsers > 0 {
            reasons.append("the users of \(parked.processes.parking.withoutUsers) processes are not known")
        }
        return reasons.isEmpty ? ParkedKind.keys.item : ParkedKind.keys.item.partial(reasons.joined(separator: "; "))
    }

    /// Keys of the session's users that the kernel counts and does not show to Quell, because only who possesses them may
    /// see them. Those in the quota of a user were made by a program of that user's; those that are in nobody's quota the
    /// kernel made for itself: they are told, and nothing of the session's is lacking without them.
    private func hidden(besides shown: [UInt32: KeyCount], of uids: Set<UInt32>) throws(Failure) -> [String] {
        let counts: [UInt32: KeyCount]
        do throws(Failure) {
            let path = BytePath("key-users")
            let text = try parked.host.proc.descriptor.open(path, O_RDONLY).readToEnd(limit: 16 << 20, from: path)
            counts = KeyCount.parse(text)
        } catch {
            return ["how many keys there are cannot be told: \(error.reason)"]
        }
        var reasons: [String] = []
        for uid in uids.sorted() {
            guard let all = counts[uid] else { continue }
            let seen = shown[uid] ?? KeyCount()
            let (own, kernels) = (all.inQuota - seen.inQuota, all.others - seen.others)
            guard own > 0 || kernels > 0 else { continue }
            var line = JSONObject()
            line["type"] = .string("hidden")
            line["uid"] = .integer(Int64(uid))
            line["inQuota"] = .integer(Int64(max(0, own)))
            line["ofTheKernel"] = .integer(Int64(max(0, kernels)))
            try parked.tell(.keys, line)
            if own > 0 { reasons.append("\(own) keys of uid \(uid) are counted and not shown") }
        }
        return reasons
    }

    private func told(_ key: KeyLine) -> JSONObject {
        var line = JSONObject()
        line["serial"] = .integer(Int64(key.serial))
        line["flags"] = .string(key.flags)
        line["timeout"] = .string(key.timeout)
        line["permissions"] = .string(key.permissions)
        line["uid"] = .integer(Int64(key.uid))
        line["type"] = .string(key.type)
        line["description"] = key.description.json
        return line
    }

    private func addPayload(of key: KeyLine, to line: inout JSONObject) -> Bool {
        var payload = [UInt8](repeating: 0, count: 65_536)
        let length = payload.withUnsafeMutableBytes { quell_parked_read_key(key.serial, $0.baseAddress, $0.count) }
        guard length >= 0 else { return false }
        line["handle"] = .string("key:\(UInt32(bitPattern: key.serial))")
        line["length"] = .integer(Int64(length))
        let read = Array(payload.prefix(min(length, payload.count)))
        line["digest"] = .string("keyed:" + parked.processes.secrets.of(read))
        return true
    }
}
