import Base
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Response

/// An SFTP server that keeps its files in memory and has one fault.
final class FaultyServer: Sendable {
    /// The faults.
    enum Fault: Sendable {
        case none
        /// It gives the name, and the line dies before it says so.
        case losesRename
        case refusesRename
        /// It answers a byte at a time.
        case drips
        /// It takes everything and answers nothing but the greeting.
        case isSilent
        /// It answers to another question than the one that was asked.
        case answersBeside
        /// Its disk is full.
        case isFull
        /// It says once what it has free, and then no more.
        case tellsRoomOnce
    }

    /// Bytes that it says it has free.
    static let room: UInt64 = 100 << 20

    private struct State: Sendable {
        var files: [String: [UInt8]] = [:]
        var folders: Set<String> = []
        var handles: [String] = []
        var roomAsked = 0
    }

    private let ends: (ours: Int32, theirs: Int32)
    private let fault: Fault
    private let state = Mutex(State())

    /// Its files.
    var files: [String: [UInt8]] { state.withLock { $0.files } }

    init(_ fault: Fault) throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        ends = (pair[0], pair[1])
        self.fault = fault
        let serving = try OwnedThread { self.serve() }
        serving.detach()
    }

    /// A connection to it.
    func connect(_ patience: Patience = Patience(each: .seconds(20))) throws -> SFTPConnection {
        try SFTPConnection(of: BytePath("b"), through: Descriptor(adopting: ends.ours), patience: patience)
    }

    private func serve() {
        defer { close(ends.theirs) }
        while let head = read(4), let body = read(head.reduce(0) { $0 << 8 | Int($1) }) {
            guard let answer = answer(to: body), put(answer, slowly: fault == .drips && body[0] != 1) else { return }
        }
    }

    private func answer(to body: [UInt8]) -> [UInt8]? {
        var id = Array(body[1..<5])
        if fault == .answersBeside { id[0] ^= 0x80 }
        var rest = body[5...]
        func word() -> UInt64 {
            defer { rest = rest.dropFirst(8) }
            return rest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        func text() -> [UInt8] {
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            defer { rest = rest.dropFirst(4 + count) }
            return Array(rest.dropFirst(4).prefix(count))
        }
        func name() -> String { String(decoding: text(), as: UTF8.self) }
        func status(_ code: UInt32) -> [UInt8] {
            SFTPWire.packet(.status, id + SFTPWire.number(code) + SFTPWire.string([]))
        }
        let kind = SFTPWire.Kind(rawValue: body[0])
        if kind == .initialise { return SFTPWire.packet(.version, SFTPWire.number(UInt32(3))) }
        if fault == .isSilent { return [] }
        return state.withLock { state -> [UInt8]? in
            switch kind {
            case .open:
                state.handles.append(name())
                state.files[state.handles[state.handles.count - 1]] = []
                return SFTPWire.packet(.handle, id + SFTPWire.string([UInt8(state.handles.count - 1)]))
            case .write:
                if fault == .isFull { return status(4) }
                let file = state.handles[Int(text()[0])]
                _ = word()
                state.files[file]? += text()
            case .makeDirectory: state.folders.insert(name())
            case .look:
                let path = name()
                if state.folders.contains(path) {
                    return SFTPWire.packet(.attributes, id + SFTPWire.number(UInt32(0)))
                }
                guard let file = state.files[path] else { return status(2) }
                let size = SFTPWire.number(UInt64(file.count))
                return SFTPWire.packet(.attributes, id + SFTPWire.number(UInt32(1)) + size)
            case .rename:
                if fault == .refusesRename { return status(4) }
                let (old, new) = (name(), name())
                for (path, file) in state.files where path.hasPrefix(old) {
                    state.files[path] = nil
                    state.files[new + path.dropFirst(old.count)] = file
                }
                if fault == .losesRename { return nil }
            case .remove:
                guard state.files.removeValue(forKey: name()) != nil else { return status(2) }
            case .setAttributes:
                let path = name()
                rest = rest.dropFirst(4)
                guard let file = state.files[path] else { return status(2) }
                state.files[path] = Array(file.prefix(Int(word())))
            case .extended where name().contains("statvfs"):
                state.roomAsked += 1
                if fault == .tellsRoomOnce, state.roomAsked > 1 { return status(4) }
                let free: UInt64 = fault == .isFull ? 0 : FaultyServer.room
                let numbers: [UInt64] = [4096, 1, 9, 9, free, 0, 0, 0, 0, 0, 255]
                return SFTPWire.packet(.extendedReply, id + numbers.flatMap { SFTPWire.number($0) })
            default: break
            }
            return status(0)
        }
    }

    private func put(_ bytes: [UInt8], slowly: Bool) -> Bool {
        guard slowly else { return bytes.isEmpty || send(ends.theirs, bytes, bytes.count, 0x4000) == bytes.count }
        for byte in bytes {
            // Until the other end goes (POLLRDHUP of poll(2)), or it is time for a byte.
            var one = pollfd(fd: ends.theirs, events: 0x2000, revents: 0)
            if poll(&one, 1, 100) != 0 || send(ends.theirs, [byte], 1, 0x4000) != 1 { return false }
        }
        return true
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        guard recv(ends.theirs, &bytes, count, 0x100) == count else { return nil }
        return bytes
    }
}

/// The reading end of what is sent somewhere, for a test.
final class SlowReader {
    private final class Tally: Sendable {
        let bytes = Atomic<Int>(0)
    }

    private let tally = Tally()
    private let number: Int32
    private var thread: OwnedThread?

    /// Begins to read from `number`, a little at a time, until its end.
    init(_ number: Int32) throws {
        self.number = number
        let tally = tally
        thread = try OwnedThread {
            var buffer = [UInt8](repeating: 0, count: 3000)
            while true {
                let count = Glibc.read(number, &buffer, buffer.count)
                if count <= 0 { return }
                tally.bytes.add(count, ordering: .relaxed)
            }
        }
    }

    /// Waits for the end and gives how many bytes came.
    func finish() -> Int {
        thread.take()?.join()
        close(number)
        return tally.bytes.load(ordering: .relaxed)
    }
}
