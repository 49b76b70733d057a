import Base
import Kernel

/// What the processes of a session told of themselves that leads to data which no process has mapped or open as a file
/// (RT29). Filled while processes are read, because nothing is looked at twice.
struct ProcessParking: Sendable {
    /// Descriptors that are remembered.
    static let mostDescriptors = 65_536
    /// What the kernel tells of them that is remembered, in bytes.
    static let mostDetails = 64 << 20
    /// Sockets that carry descriptors, and descriptors of namespaces, that are remembered.
    static let mostOfAKind = 4096

    /// A descriptor whose kind holds something of its own.
    struct Special: Sendable {
        let pin: ProcessPin
        let link: String
        let number: Int32
        let target: BytePath
        let information: DescriptorInformation
    }

    /// A System V segment that a process has attached.
    struct Segment: Hashable, Sendable {
        let namespace: UInt64
        let id: UInt64
    }

    /// A namespace and how to reach it below /proc.
    struct Space: Hashable, Sendable {
        let inode: UInt64
        let pin: ProcessPin
        let link: String
    }

    private(set) var specials: [Special] = []
    private(set) var specialsLeftOut = 0
    /// Unix sockets with descriptors in their queues.
    private(set) var carriers: [Special] = []
    private(set) var carriersLeftOut = 0
    /// Descriptors in the queues of all of them, those that are left out too.
    private(set) var waiting: UInt64 = 0
    /// Descriptors of namespaces, by kind and inode.
    private(set) var heldSpaces: [(kind: String, space: Space)] = []
    private(set) var heldSpacesLeftOut = 0
    private var details = 0
    /// Where processes stand.
    private(set) var memberSpaces: [String: Set<UInt64>] = [:]
    /// IPC namespaces in which processes stand or that a descriptor holds.
    private(set) var ipcSpaces: [Space] = []
    private(set) var attached: [Segment: ProcessesItem.Holder] = [:]
    private(set) var uids: Set<UInt32> = []
    /// Processes of which it could not be told whose they are.
    private(set) var withoutUsers = 0
    private(set) var pids: Set<Int32> = []

    mutating func take(_ reading: ProcessReading, of pin: ProcessPin) {
        pids.insert(pin.pid)
        if let status = reading.status, !status.uids.isEmpty {
            uids.formUnion(status.uids)
        } else {
            withoutUsers += 1
        }
        for (kind, inode) in reading.namespaces { memberSpaces[kind, default: []].insert(inode) }
        if let inode = reading.namespaces["ipc"] {
            know(Space(inode: inode, pin: pin, link: reading.prefix + "ns/ipc"))
            for file in reading.mapped {
                guard let id = file.segment else { continue }
                let segment = Segment(namespace: inode, id: id)
                if attached[segment] == nil {
                    attached[segment] = ProcessesItem.Holder(pin: pin, link: file.link, position: nil, flags: nil)
                }
            }
        }
        for open in reading.descriptors { take(open, of: pin, through: reading.prefix) }
    }

    private mutating func take(_ open: ProcessReading.Descriptor, of pin: ProcessPin, through prefix: String) {
        let link = "\(prefix)fd/\(open.number)"
        for kind in ParkedNamespaces.kinds {
            guard let inode = open.number(after: kind + ":[") else { continue }
            let space = Space(inode: inode, pin: pin, link: link)
            if kind == "ipc" { know(space) }
            if heldSpaces.count < ProcessParking.mostOfAKind {
                heldSpaces.append((kind, space))
            } else {
                heldSpacesLeftOut += 1
            }
            return
        }
        let special = Special(
            pin: pin,
            link: link,
            number: open.number,
            target: open.target,
            information: open.information
        )
        if open.socketInode != nil, let carried = open.information.number("scm_fds"), carried > 0 {
            waiting &+= carried
            if carriers.count < ProcessParking.mostOfAKind { carriers.append(special) } else { carriersLeftOut += 1 }
        } else if open.target.bytes.starts(with: "anon_inode:".utf8) || open.target.bytes.starts(with: "pidfd:".utf8) {
            guard specials.count < ProcessParking.mostDescriptors,
                details + special.information.cost <= ProcessParking.mostDetails
            else {
                specialsLeftOut += 1
                return
            }
            details += special.information.cost
            specials.append(special)
        }
    }

    private mutating func know(_ space: Space) {
        if !ipcSpaces.contains(where: { $0.inode == space.inode }) { ipcSpaces.append(space) }
    }
}

extension ProcessParking.Special {
    /// The kind in `anon_inode:[eventpoll]` and `anon_inode:bpf-map`: the word alone.
    var kind: String {
        let text = String(decoding: target.bytes, as: UTF8.self)
        let word = text.hasPrefix("pidfd:") ? "pidfd" : text.dropFirst("anon_inode:".count)
        return String(word.filter { $0 != "[" && $0 != "]" })
    }

    /// Who holds it, and what the kernel tells of it.
    var line: JSONObject {
        var line = JSONObject()
        line["pid"] = .integer(Int64(pin.pid))
        line["startTicks"] = .integer(Int64(clamping: pin.startTicks))
        line["link"] = .string(link)
        line["type"] = .string(kind)
        line["details"] = information.detailLines
        return line
    }
}
