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
    /// Holders of one socket that are asked for its protocol.
    private static let mostAsked = 8

    /// - Returns: those with abstract names, as data/parked.jsonl tells them.
    func collect(
        to writer: BundleWriter,
        log: CollectionLog,
        budget: CaptureBudget
    ) throws(Failure) -> [JSONObject] {
        var abstract: [JSONObject] = []
        let name = try PayloadName("data/sockets.jsonl")
        let stream = try writer.stream(name)
        var item = CollectionItem(.sockets)
        item.member = name.text
        var found = 0
        var failed = 0
        var absent: Set<String> = []
        var unnamed: [Failure] = []
        var seen: Set<UInt64> = []
        for space in processes.networkNamespaces {
            let lines: [(inode: UInt64, line: JSONObject)]
            do throws(Failure) {
                lines = try dump(space, &item, &absent)
            } catch {
                failed += 1
                item = item.partial("network namespace \(space.inode): \(error)", errno: error.errno)
                continue
            }
            for (inode, line) in lines {
                seen.insert(inode)
                if let told = SocketsItem.abstractName(in: line) { abstract.append(told) }
                guard try write(line, to: stream, budget) else {
                    item = item.partial("over the budget after \(found) sockets")
                    break
                }
                found += 1
            }
        }
        // What no dump told of is held all the same: families without a diagnosis, sockets not bound to anything yet.
        for (inode, holders) in processes.sockets.sorted(by: { $0.key < $1.key }) where !seen.contains(inode) {
            guard try write(undiagnosed(inode, holders, &unnamed), to: stream, budget) else {
                item = item.partial("over the budget after \(found) sockets")
                break
            }
        }
        try stream.close()
        if item.reason == nil, let first = unnamed.first {
            item = item.partial("the protocol of \(unnamed.count) sockets is not known: \(first)", errno: first.errno)
        }
        if item.reason == nil, !absent.isEmpty {
            item.reason = "this kernel has no diagnosis of \(absent.sorted().joined(separator: ", ")) sockets"
        }
        if failed > 0, failed == processes.networkNamespaces.count { item.outcome = .failed }
        try log.end(processes.judge(item))
        return abstract
    }

    private func write(
        _ line: JSONObject,
        to stream: PayloadStream,
        _ budget: CaptureBudget
    ) throws(Failure) -> Bool {
        let bytes = CanonicalJSON.bytes(of: .object(line)) + [UInt8(ascii: "\n")]
        guard budget.take(UInt64(bytes.count)) else { return false }
        try stream.append(bytes)
        return true
    }

    private func undiagnosed(
        _ inode: UInt64,
        _ holders: [ProcessesItem.Holder],
        _ unnamed: inout [Failure]
    ) -> JSONObject {
        var line = JSONObject()
        line["kind"] = .string("undiagnosed")
        line["inode"] = .string(String(inode))
        switch protocolName(of: holders) {
        case .success(let name): line["protocol"] = .string(name)
        case .failure(let failure):
            line["protocolUnknown"] = .string(failure.description)
            unnamed.append(failure)
        }
        line["holders"] = self.holders(of: inode)
        return line
    }

    /// Of the first holder that still has it.
    private func protocolName(of holders: [ProcessesItem.Holder]) -> Result<String, Failure> {
        var reason = Failure(.notFound, "read the protocol of a socket", on: "its holders", because: "none is known")
        for holder in holders.prefix(SocketsItem.mostAsked) {
            do throws(Failure) {
                return .success(try SocketFamily.protocolName(of: holder, on: host))
            } catch {
                reason = error
            }
        }
        return .failure(reason)
    }

    private static func abstractName(in line: JSONObject) -> JSONObject? {
        guard line["kind"] == "unix", line["abstract"] == true else { return nil }
        var told = JSONObject()
        for key in ["name", "inode", "networkNamespace", "listening"] { told[key] = line[key] }
        return told
    }

    private func dump(
        _ space: (inode: UInt64, pin: ProcessPin, link: String),
        _ item: inout CollectionItem,
        _ absent: inout Set<String>
    ) throws(Failure) -> [(inode: UInt64, line: JSONObject)] {
        let process = try ProcessDirectory(space.pin, on: host)
        let window = try process.open(space.link, O_RDONLY)
        let diag = try SockDiag(inNetworkNamespace: window.number)
        let deadline = Deadline(after: .seconds(5))
        let inet = try diag.allInetSockets(limit: SocketsItem.limit, by: deadline)
        let unix = try diag.unixSockets(limit: SocketsItem.limit, by: deadline)
        if inet.isTruncated || unix.isTruncated {
            item = item.partial("network namespace \(space.inode) has more than \(SocketsItem.limit) sockets")
        }
        let own = ParkedItem.ownSpace(.network, on: host)
        // In a namespace of its own everything is the session's, also what only the kernel holds any more.
        let isAll = own != nil && own != space.inode
        let mine = inet.sockets.filter { isAll || isOurs($0.inode) || $0.cgroupID.map(cgroups.contains) ?? false }
        var lines = mine.map { ($0.inode, line(of: $0, in: space.inode)) }
        lines += unix.sockets.filter { isAll || isOurs($0.inode) }.map { ($0.inode, line(of: $0, in: space.inode)) }
        for family in SocketFamily.allCases {
            do throws(Failure) {
                guard case .sockets(let sockets) = try family.all(in: window.number) else {
                    absent.insert(family.rawValue)
                    continue
                }
                for (inode, told) in sockets where isAll || isOurs(inode) {
                    var line = told
                    line["networkNamespace"] = .integer(Int64(clamping: space.inode))
                    line["holders"] = holders(of: inode)
                    lines.append((inode, line))
                }
            } catch {
                item = item.partial(
                    "\(family.rawValue) sockets of namespace \(space.inode): \(error)",
                    errno: error.errno
                )
            }
        }
        return lines
    }

    private func isOurs(_ inode: UInt64) -> Bool { processes.sockets[inode] != nil }

    private func line(of socket: InetSocket, in space: UInt64) -> JSONObject {
        var line = JSONObject()
        line["kind"] = .string("inet")
        line["networkNamespace"] = .integer(Int64(clamping: space))
        line["transport"] = .string(socket.transport.rawValue)
        line["state"] = .string(socket.state.rawValue)
        line["local"] = .string("\(socket.local)")
        line["remote"] = .string("\(socket.remote)")
        line["uid"] = .integer(Int64(socket.uid))
        line["interface"] = socket.interface == 0 ? nil : .integer(Int64(socket.interface))
        line["inode"] = .string(String(socket.inode))
        line["cookie"] = .string(String(socket.cookie))
        line["receiveQueue"] = .integer(Int64(socket.receiveQueue))
        line["sendQueue"] = .integer(Int64(socket.sendQueue))
        line["cgroup"] = socket.cgroupID.map { .string(String($0)) }
        line["bytesSent"] = socket.counters?.bytesSent.map { .integer(Int64(clamping: $0)) }
        line["bytesAcknowledged"] = socket.counters.map { .integer(Int64(clamping: $0.bytesAcknowledged)) }
        line["bytesReceived"] = socket.counters.map { .integer(Int64(clamping: $0.bytesReceived)) }
        line["holders"] = holders(of: socket.inode)
        return line
    }

    private func line(of socket: UnixSocket, in space: UInt64) -> JSONObject {
        var line = JSONObject()
        line["kind"] = .string("unix")
        line["networkNamespace"] = .integer(Int64(clamping: space))
        line["inode"] = .string(String(socket.inode))
        line["peer"] = socket.peer.map { .string(String($0)) }
        line["type"] = .integer(Int64(socket.type))
        line["receiveQueue"] = .integer(Int64(socket.receiveQueue))
        line["sendQueue"] = .integer(Int64(socket.sendQueue))
        line["listening"] = .bool(socket.isListening)
        line["name"] = socket.name?.json
        // The NUL before an abstract name is told as `@`; a path that begins with `@` has no slash before it either.
        line["abstract"] = socket.name.map { .bool($0.bytes.first == UInt8(ascii: "@")) }
        line["holders"] = holders(of: socket.inode)
        if let peer = socket.peer, isOurs(peer) { line["peerHolders"] = holders(of: peer) }
        return line
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
