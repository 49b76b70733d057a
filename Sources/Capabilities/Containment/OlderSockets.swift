public import Base
public import Kernel

/// Sockets that a drop does not reach: a socket belongs to the cgroup in which it was made, so those that a process had
/// before it was moved into a cut group are not cut with it. Looked for when the session is frozen: links in /proc/PID/fd
/// are read, nothing is opened.
public struct OlderSockets {
    private let host: Host

    /// Works on this host.
    public init(_ host: Host) { self.host = host }

    /// A line for each moved process with IPv4 or IPv6 sockets that no drop reaches, or that could not be looked at;
    /// empty when there is none. A process that has ended has no sockets.
    public func told(of moved: [ProcessPin], beside drops: [Drop]) -> [String] {
        guard !moved.isEmpty else { return [] }
        let reached: [UInt64: Bool]
        do throws(Failure) {
            reached = try cutSockets(drops)
        } catch {
            return ["sockets that \(moved.count) moved processes may have: \(error)"]
        }
        return moved.compactMap { pin in
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                let isOurNetwork = try process.namespace(.network) == ownNetwork()
                let held = try process.socketInodes()
                if !isOurNetwork {
                    return held.isEmpty ? nil : "process \(pin.pid): \(held.count) sockets in a network of its own"
                }
                let open = held.filter { reached[$0] == false }.count
                return open == 0 ? nil : "process \(pin.pid): \(open) sockets that it had before it was moved"
            } catch {
                if error.code == .notFound || error.code == .changed { return nil }
                return "sockets that process \(pin.pid) may have: \(error)"
            }
        }
    }

    /// For each inet socket of this network, whether the cgroup in which it was made is cut.
    private func cutSockets(_ drops: [Drop]) throws(Failure) -> [UInt64: Bool] {
        var cut: Set<UInt64> = []
        for drop in drops {
            do throws(Failure) {
                try Cgroup(drop.group, on: host).forEachInTree { group throws(Failure) in cut.insert(group.inode) }
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
            }
        }
        let dump = try SockDiag().allInetSockets(by: Deadline(after: .seconds(2)))
        guard !dump.isTruncated else {
            throw Failure(.system, "list the sockets", on: "sock_diag", because: "there are too many")
        }
        var reached: [UInt64: Bool] = [:]
        for socket in dump.sockets where socket.inode != 0 {
            reached[socket.inode] = socket.cgroupID.map(cut.contains) ?? false
        }
        return reached
    }

    private func ownNetwork() throws(Failure) -> UInt64? {
        try ProcessDirectory(ProcessScanner.ownPid, on: host).namespace(.network)
    }
}
