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
        let uids = parked.processes.parking.uids
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let key = KeyLine(parsing: line), uids.contains(key.uid) else { continue }
            var told = told(key)
            if key.hasPayload, !addPayload(of: key, to: &told) { closed += 1 }
            try parked.tell(.keys, told)
        }
        guard closed > 0 else { return ParkedKind.keys.item }
        return ParkedKind.keys.item.partial(
            "the payload of \(closed) keys: the kernel gives it only to who possesses them; they are described"
        )
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
