public import Base

/// A network interface, as the kernel tells it in one network namespace. Source: rtnetlink(7).
public struct NetworkLink: Hashable, Sendable, Codable {
    /// Its number in that namespace.
    public let index: Int32
    /// Its name, at most 15 bytes, chosen by whoever administers the namespace.
    public let name: BytePath
    /// What kind it is: `veth`, `tun`, `macvlan`; empty for a device of the machine and for loopback.
    public let kind: String
    /// The number of the interface behind it: the other end of a veth, the device under a macvlan.
    public let peer: Int32?
    /// The namespace of `peer` when that is another one, as this namespace numbers it.
    public let peerNamespace: Int32?
    /// Whether it is the loopback interface.
    public let isLoopback: Bool

    /// Takes all parts.
    public init(
        index: Int32,
        name: BytePath,
        kind: String,
        peer: Int32? = nil,
        peerNamespace: Int32? = nil,
        isLoopback: Bool = false
    ) {
        self.index = index
        self.name = name
        self.kind = kind
        self.peer = peer
        self.peerNamespace = peerNamespace
        self.isLoopback = isLoopback
    }

    /// Whether this is the other end of `other`, an interface of a namespace that this one numbers `namespace`.
    public func isOtherEnd(of other: NetworkLink, in namespace: Int32) -> Bool {
        kind == "veth" && other.kind == "veth" && peerNamespace == namespace && peer == other.index
            && other.peer == index && other.peerNamespace != nil
    }
}

/// An interface that leads into another network namespace, by more than its name, which the next one may have.
public struct LinkPin: Hashable, Sendable, Codable {
    /// Its name.
    public let name: String
    /// Its number in its namespace.
    public let index: Int32
    /// The number of the other end, in the namespace of that.
    public let peer: Int32
    /// How its namespace numbers the one of the other end.
    public let peerNumber: Int32
    /// The inode of that one.
    public let peerNamespace: UInt64

    /// Takes all parts.
    public init(name: String, index: Int32, peer: Int32, peerNumber: Int32, peerNamespace: UInt64) {
        self.name = name
        self.index = index
        self.peer = peer
        self.peerNumber = peerNumber
        self.peerNamespace = peerNamespace
    }

    /// One end of a veth whose other end is in the namespace with that inode; `nil` for any other interface, and for a
    /// name that is no text.
    public init?(_ link: NetworkLink, into namespace: UInt64) {
        guard let name = link.name.text, let peer = link.peer, let number = link.peerNamespace else { return nil }
        self.init(name: name, index: link.index, peer: peer, peerNumber: number, peerNamespace: namespace)
    }

    /// Whether this very interface is among those of its namespace. The kernel gives each number once; whoever administers
    /// the other namespace can move the other end on, which changes nothing here.
    public func isAmong(_ links: [NetworkLink]) -> Bool {
        links.contains { $0.index == index && $0.name.text == name && $0.kind == "veth" }
    }
}

/// Lists interfaces and numbers namespaces, by rtnetlink in a child.
public enum NetworkLinks {
    /// The interfaces of a namespace.
    ///
    /// - Throws: `timedOut`, `notPermitted` without the right to enter, `system`.
    public static func list(in space: NamespaceSockets, by deadline: Deadline) throws(Failure) -> [NetworkLink] {
        let request = RouteMessage.linkDump(sequence: 1)
        let child = try NetlinkChild([request], to: .route, in: space.number, by: deadline)
        guard let datagrams = child.answers.first else { throw slow(space) }
        var links: [NetworkLink] = []
        for datagram in datagrams { links += try RouteMessage.links(in: datagram[...]) }
        return links
    }

    /// How Quell's own namespace numbers the one that a process stands in; `nil` when it has no number for it, because
    /// no interface here leads there. Ask only after ``list(in:by:)`` of the own namespace: the kernel gives the numbers
    /// when it lists the interfaces.
    ///
    /// - Throws: `timedOut` or `system`; `notFound` when the process has ended.
    public static func number(
        ofNamespaceOf pid: Int32,
        by deadline: Deadline
    ) throws(Failure) -> Int32? {
        let child = try NetlinkChild([RouteMessage.namespace(of: pid, sequence: 1)], to: .route, in: -1, by: deadline)
        guard let datagrams = child.answers.first else {
            throw Failure(.timedOut, "number a network namespace", on: String(pid), because: "no answer in time")
        }
        for datagram in datagrams {
            if let number = try RouteMessage.number(in: datagram[...]) { return number < 0 ? nil : number }
        }
        return nil
    }

    private static func slow(_ space: NamespaceSockets) -> Failure {
        Failure(.timedOut, "list the interfaces", on: "network namespace \(space.inode)", because: "no answer in time")
    }
}
