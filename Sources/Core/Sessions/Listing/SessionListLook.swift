public import Base
internal import Glibc
public import Kernel

extension SessionList {
    /// Looks at every process of this machine, at the sockets of their network namespaces and, when a file is asked for,
    /// at what they hold. Quell itself is left out. Below `root`, which is `/` but for tests, lie the files of containers.
    ///
    /// - Throws: When the processes cannot be listed. What cannot be read of one of them is a member of ``failures``.
    public static func look(
        at host: Host,
        inventory: Inventory = .empty,
        asking question: SessionQuestion = SessionQuestion(),
        root: BytePath = BytePath("/"),
        by deadline: Deadline
    ) throws(Failure) -> SessionList {
        var look = ProcessLook(host, by: deadline)
        let processes = try look.processes()
        var runtimes = OCIContainers(host: host, root: root)
        let containers = runtimes.read()
        runtimes.failures.forEach { look.keep($0) }
        let sandboxes = GVisorLookup(on: host, root: root).sandboxes(among: processes)
        let sorting = SessionSorting(processes, inventory, containers: containers, gvisor: sandboxes)
        var names = ContainerNames(host: host, root: root)
        let groups = names.label(sorting.groups)
        names.failures.forEach { look.keep($0) }
        let sockets = look.sockets(of: processes.map(\.pin))
        let files = question.file.map { look.holders(of: $0, among: processes) } ?? [:]
        if let peer = question.peer { look.keepUnheld(peer, sockets, processes) }
        let memory = MemoryAccounts(host)
        let list = SessionList(
            groups,
            processes,
            sockets: sockets,
            files: files,
            inventory: inventory,
            asking: question
        ) { memory.use(of: $0, among: $1) }
        // What has ended has neither connections nor open files.
        var ended = DeadSessionLook(host, root: root, among: processes, gvisor: sandboxes)
        let dead = question.isNarrow || !question.includesDead ? [] : ended.look()
        ended.failures.forEach { look.keep($0) }
        return SessionList(
            sessions: list.sessions,
            dead: dead,
            plainProcesses: list.plainProcesses,
            failures: look.distinctFailures
        )
    }

    /// Makes the list of what was read. Pure, but for what `memory` asks.
    init(
        _ groups: [SessionSorting.Group],
        _ processes: [OverviewProcess],
        sockets: [InetSocket],
        files: [ProcessPin: [FileHolding]] = [:],
        inventory: Inventory = .empty,
        asking question: SessionQuestion = SessionQuestion(),
        memory: ([OverviewProcess], [OverviewProcess]) -> MemoryUse
    ) {
        let byInode = Dictionary(sockets.filter { $0.inode != 0 }.map { ($0.inode, $0) }) { first, _ in first }
        var listed: [ListedSession] = []
        var plain = 0
        for group in groups {
            let matches = SessionMatch.all(in: group.members, question, byInode, files)
            if question.isNarrow {
                guard let matches else { continue }
                listed.append(ListedSession(group, byInode, inventory, matches, memory(group.members, processes)))
            } else if group.runtime.kind == .process, group.signs.isEmpty, !question.includesPlain {
                plain += group.members.count
            } else {
                listed.append(ListedSession(group, byInode, inventory, [], memory(group.members, processes)))
            }
        }
        sessions = listed.sorted {
            ($0.agent == nil ? 1 : 0, $1.bytesSent, $0.leader.pid) < (
                $1.agent == nil ? 1 : 0, $0.bytesSent, $1.leader.pid
            )
        }
        dead = []
        plainProcesses = plain
        failures = []
    }
}

extension ListedSession {
    fileprivate init(
        _ group: SessionSorting.Group,
        _ sockets: [UInt64: InetSocket],
        _ inventory: Inventory,
        _ matches: [SessionMatch],
        _ memory: MemoryUse
    ) {
        let traffic = Traffic(of: group.members, over: sockets)
        let names = group.signs.compactMap { sign -> String? in
            if case .declared(let name) = sign { return name }
            return nil
        }
        leader = group.leader.pin
        name = group.leader.name
        runtime = group.runtime
        agent = group.signs.isEmpty ? nil : OverviewEntry.kind(group.signs)
        // Only a name that the inventory has, and only when it means nothing but this session.
        declared = names.count == 1 ? names.first { inventory.agent(named: $0) != nil } : nil
        uid = group.leader.uid
        started = group.leader.started
        cgroups = group.leader.cgroups.filter(\.isFreezable)
        processes = group.members.count
        self.memory = memory
        connections = traffic.connections
        bytesSent = traffic.bytesSent
        bytesReceived = traffic.bytesReceived
        peers = traffic.peers
        self.matches = matches
    }
}

extension SessionMatch {
    /// What answers a question in the processes of a session; `nil` when a part of the question has no answer there.
    fileprivate static func all(
        in members: [OverviewProcess],
        _ question: SessionQuestion,
        _ sockets: [UInt64: InetSocket],
        _ files: [ProcessPin: [FileHolding]]
    ) -> [SessionMatch]? {
        var connections: [SessionMatch] = []
        var holdings: [SessionMatch] = []
        for member in members {
            if let peer = question.peer {
                for socket in member.sockets.sorted().compactMap({ sockets[$0] }) where peer.isPeer(of: socket) {
                    connections.append(SessionMatch(member, connection: socket))
                }
            }
            holdings += (files[member.pin] ?? []).map { SessionMatch(member, file: $0) }
        }
        if question.peer != nil && connections.isEmpty || question.file != nil && holdings.isEmpty { return nil }
        return connections + holdings
    }

    private init(_ process: OverviewProcess, connection: InetSocket? = nil, file: FileHolding? = nil) {
        self.process = process.pin
        name = process.name
        self.connection = connection
        self.file = file
    }
}

extension ProcessLook {
    /// How long one process may hold up the search for a file, in milliseconds.
    private static let patienceForFiles: Int32 = 500

    /// Who holds a file, and in which ways.
    fileprivate mutating func holders(
        of file: SoughtFile,
        among processes: [OverviewProcess]
    ) -> [ProcessPin: [FileHolding]] {
        let host = host
        let reading = ImpatientReading<Result<[FileHolding], Failure>>(patience: ProcessLook.patienceForFiles) { pin in
            do throws(Failure) {
                return .success(try ProcessDirectory(pin, on: host).holdings(of: file).sorted(by: FileHolding.precedes))
            } catch {
                return .failure(error)
            }
        }
        let read = reading.read(processes.map(\.pin), by: deadline)
        var found: [ProcessPin: [FileHolding]] = [:]
        var unread: [ProcessPin] = []
        for process in processes {
            switch read[process.pin] {
            case .success(let holdings): if !holdings.isEmpty { found[process.pin] = holdings }
            // What has ended holds nothing; what may not be looked into was told already.
            case .failure(let error):
                if ![.notFound, .changed, .notPermitted].contains(error.code), error.errno != ESRCH { keep(error) }
            case nil: unread.append(process.pin)
            }
        }
        keepHeld("look at the files of a process", unread)
        return found
    }

    /// Connections to it that no process has as a descriptor: on their way to a process, of an ended one, or in a place
    /// that could not be read.
    fileprivate mutating func keepUnheld(_ peer: SoughtPeer, _ sockets: [InetSocket], _ processes: [OverviewProcess]) {
        let held = processes.reduce(into: Set<UInt64>()) { $0.formUnion($1.sockets) }
        for socket in sockets where peer.isPeer(of: socket) && !held.contains(socket.inode) {
            if socket.state == .timeWait { continue }
            let place = socket.cgroupID.map { ", made in the cgroup with inode \($0)" } ?? ""
            let who = socket.inode == 0 ? "it was closed, or not accepted yet" : "no process that could be read has it"
            keep(
                Failure(
                    .notFound,
                    "find who holds a connection",
                    on: "\(socket.local) to \(socket.remote)",
                    because:
                        "\(who) (state \(socket.state.rawValue), uid \(socket.uid)\(place))"
                )
            )
        }
    }
}

extension FileHolding {
    fileprivate static func precedes(_ left: FileHolding, _ right: FileHolding) -> Bool {
        (left.kind.rawValue, left.descriptor ?? -1) < (right.kind.rawValue, right.descriptor ?? -1)
    }
}
