import Base
import Bundles
import Glibc
import Kernel

/// data/sockets.jsonl: the sockets that processes of the session hold or that the kernel counts to its cgroups.
struct SocketsItem {
    let processes: ProcessesItem
    let cgroups: Set<UInt64>
    let host: Host

    /// Sockets that one dump keeps at most in memory.
    private static let limit = 65_536

    func collect(to writer: BundleWriter, log: CollectionLog, budget: CaptureBudget) throws(Failure) {
        let name = try PayloadName("data/sockets.jsonl")
        let stream = try writer.stream(name)
        var item = CollectionItem(.sockets)
        item.member = name.text
        var found = 0
        var failed = 0
        for space in processes.networkNamespaces {
            do throws(Failure) {
                for line in try dump(space, &item) {
                    let bytes = CanonicalJSON.bytes(of: line) + [UInt8(ascii: "\n")]
                    guard budget.take(UInt64(bytes.count)) else {
                        item = item.partial("over the budget after \(found) sockets")
                        break
                    }
                    try stream.append(bytes)
                    found += 1
                }
            } catch {
                if error.attempt.hasPrefix("write") { throw error }
                failed += 1
                item = item.partial("network namespace \(space.inode): \(error)", errno: error.errno)
            }
        }
        try stream.close()
        if failed > 0, failed == processes.networkNamespaces.count { item.outcome = .failed }
        try log.end(processes.judge(item))
    }

    private func dump(
        _ space: (inode: UInt64, pin: ProcessPin, prefix: String),
        _ item: inout CollectionItem
    ) throws(Failure) -> [JSONValue] {
        let process = try ProcessDirectory(space.pin, on: host)
        let window = try process.open("\(space.prefix)ns/net", O_RDONLY)
        let diag = try SockDiag(inNetworkNamespace: window.number)
        let deadline = Deadline(after: .seconds(5))
        let inet = try diag.allInetSockets(limit: SocketsItem.limit, by: deadline)
        let unix = try diag.unixSockets(limit: SocketsItem.limit, by: deadline)
        if inet.isTruncated || unix.isTruncated {
            item = item.partial("network namespace \(space.inode) has more than \(SocketsItem.limit) sockets")
        }
        let mine = inet.sockets.filter { isOurs($0.inode) || $0.cgroupID.map(cgroups.contains) ?? false }
        return mine.map { line(of: $0, in: space.inode) }
            + unix.sockets.filter { isOurs($0.inode) }.map { line(of: $0, in: space.inode) }
    }

    private func isOurs(_ inode: UInt64) -> Bool { processes.sockets[inode] != nil }

    private func line(of socket: InetSocket, in space: UInt64) -> JSONValue {
        var line = JSONObject()
        line["kind"] = .string("inet")
        line["networkNamespace"] = .integer(Int64(clamping: space))
        line["transport"] = .string(socket.transport.rawValue)
        line["state"] = .string(socket.state.rawValue)
        line["local"] = .string("\(socket.local)")
        line["remote"] = .string("\(socket.remote)")
        line["uid"] = .integer(Int64(socket.uid))
        line["inode"] = .string(String(socket.inode))
        line["cookie"] = .string(String(socket.cookie))
        line["receiveQueue"] = .integer(Int64(socket.receiveQueue))
        line["sendQueue"] = .integer(Int64(socket.sendQueue))
        line["cgroup"] = socket.cgroupID.map { .string(String($0)) }
        line["bytesSent"] = socket.counters?.bytesSent.map { .integer(Int64(clamping: $0)) }
        line["bytesAcknowledged"] = socket.counters.map { .integer(Int64(clamping: $0.bytesAcknowledged)) }
        line["bytesReceived"] = socket.counters.map { .integer(Int64(clamping: $0.bytesReceived)) }
        line["holders"] = holders(of: socket.inode)
        return .object(line)
    }

    private func line(of socket: UnixSocket, in space: UInt64) -> JSONValue {
        var line = JSONObject()
        line["kind"] = .string("unix")
        line["networkNamespace"] = .integer(Int64(clamping: space))
        line["inode"] = .string(String(socket.inode))
        line["peer"] = socket.peer.map { .string(String($0)) }
        line["type"] = .integer(Int64(socket.type))
        line["listening"] = .bool(socket.isListening)
        line["name"] = socket.name?.json
        line["holders"] = holders(of: socket.inode)
        if let peer = socket.peer, isOurs(peer) { line["peerHolders"] = holders(of: peer) }
        return .object(line)
    }

    private func holders(of inode: UInt64) -> JSONValue {
        .array((processes.sockets[inode] ?? []).map(\.json))
    }
}

extension ProcessesItem.Holder {
    /// Who holds it and by which link below /proc/PID.
    var json: JSONValue {
        var line = JSONObject()
        line["pid"] = .integer(Int64(pin.pid))
        line["startTicks"] = .integer(Int64(clamping: pin.startTicks))
        line["link"] = .string(link)
        line["position"] = position.map { .integer(Int64(clamping: $0)) }
        line["flags"] = flags.map { .string("0" + String($0, radix: 8)) }
        return .object(line)
    }
}
