import Base
import Glibc
import Kernel
import Synchronization

/// A connection to a program that speaks SFTP on its standard input and output. Many files may be written at the same time; up
/// to 2 MiB wait for an answer. Of the other end's words nothing is believed but whether it took what it was given. Unchecked
/// because all state is reached with the lock held.
final class SFTPConnection: @unchecked Sendable {
    /// What an answer may take, until the work is to stop.
    static func patience(until isToStop: @escaping @Sendable () -> Bool = { false }) -> Patience {
        Patience(each: .seconds(120), until: isToStop)
    }

    /// Writes that wait for an answer at the same time, of 32 KiB each.
    private static let window = 64
    private static let piece = 32 << 10

    private let lock = Mutex(())
    private let subject: String
    private let socket: Descriptor
    private let patience: Patience
    private var child: ChildProcess?
    private var nextID: UInt32 = 0
    private var waiting: [UInt32] = []
    private var broken: Failure?
    private var isLost = false

    /// `socket` is our end of the program's standard input and output, `subject` what is sent, for messages.
    init(of subject: BytePath, through socket: consuming Descriptor, patience: Patience) throws(Failure) {
        self.subject = String(decoding: subject.bytes, as: UTF8.self)
        self.socket = socket
        self.patience = patience
        try put(SFTPWire.packet(.initialise, SFTPWire.number(UInt32(3))))
        guard case .version(let version) = try reply().content, version >= 3 else {
            throw failure("the other end does not speak SFTP version 3")
        }
    }

    /// Starts the program at the other end of a channel and keeps it as long as the connection is there.
    convenience init(
        of subject: BytePath,
        patience: Patience,
        starting: (Int32) throws(Failure) -> ChildProcess
    ) throws(Failure) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw Failure(errno: errno, "make a channel", on: BytePath("socketpair"))
        }
        let ours = Descriptor(adopting: ends[0])
        let theirs = Descriptor(adopting: ends[1])
        let child = try starting(theirs.number)
        try theirs.close(of: BytePath("a channel"))
        try self.init(of: subject, through: ours, patience: patience)
        self.child = consume child
    }

    /// Makes a new file that only its owner can open, and gives its handle.
    func create(_ path: [UInt8]) throws(Failure) -> [UInt8] {
        try lock.withLock { _ throws(Failure) -> [UInt8] in
            try drain()
            let writeCreateExclusively: UInt32 = 0x02 | 0x08 | 0x20
            let body = SFTPWire.string(path) + SFTPWire.number(writeCreateExclusively) + SFTPConnection.mode(0o600)
            let id = try ask(.open, body)
            switch try reply().content {
            case .handle(id, let handle): return handle
            case .status(id, let code, let words): throw failure("it cannot be made there: \(told(code, words))")
            default: throw lost("an answer out of place")
            }
        }
    }

    /// Makes a new directory that only its owner can open.
    func makeDirectory(_ path: [UInt8]) throws(Failure) {
        try lock.withLock { _ throws(Failure) -> Void in
            try drain()
            let id = try ask(.makeDirectory, SFTPWire.string(path) + SFTPConnection.mode(0o700))
            try requireStatus(id, "made")
        }
    }

    /// Writes bytes behind those that were written to the handle before; that they were taken is known when it is closed.
    func write(_ bytes: UnsafeRawBufferPointer, to handle: [UInt8], at start: UInt64) throws(Failure) {
        try lock.withLock { _ throws(Failure) -> Void in
            var rest = bytes
            var offset = start
            while !rest.isEmpty {
                let part = [UInt8](rest.prefix(SFTPConnection.piece))
                if waiting.count >= SFTPConnection.window { try takeAnswer() }
                let body = SFTPWire.string(handle) + SFTPWire.number(offset) + SFTPWire.string(part)
                waiting.append(try ask(.write, body))
                offset += UInt64(part.count)
                rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
            }
        }
    }

    /// Brings a file to the other host's disk and closes it.
    func close(_ handle: [UInt8]) throws(Failure) {
        try lock.withLock { _ throws(Failure) -> Void in
            try drain()
            let sync = try ask(.extended, SFTPWire.string(Array("fsync@openssh.com".utf8)) + SFTPWire.string(handle))
            // A server that has no fsync says so (8), which is no error: it has the bytes.
            try requireStatus(sync, "brought to disk", besides: 8)
            try requireStatus(try ask(.close, SFTPWire.string(handle)), "closed")
        }
    }

    /// Bytes that a file has there; `nil` when nothing stands at the path.
    func size(_ path: [UInt8]) throws(Failure) -> UInt64? {
        try lock.withLock { _ throws(Failure) -> UInt64? in
            try drain()
            let id = try ask(.look, SFTPWire.string(path))
            switch try reply().content {
            case .attributes(id, let size): return size ?? 0
            case .status(id, 2, _): return nil
            case .status(id, let code, let words): throw failure("it cannot be looked at there: \(told(code, words))")
            default: throw lost("an answer out of place")
            }
        }
    }

    /// Gives something another name, which must be free.
    func rename(_ old: [UInt8], to new: [UInt8]) throws(Failure) {
        try lock.withLock { _ throws(Failure) -> Void in
            try drain()
            try requireStatus(try ask(.rename, SFTPWire.string(old) + SFTPWire.string(new)), "given its name")
        }
    }

    /// Takes away what a file has at the byte `size` and behind it, whatever became of the writes before.
    func cut(_ path: [UInt8], to size: UInt64) throws(Failure) {
        try lock.withLock { _ throws(Failure) -> Void in
            try settle()
            let hasSize: UInt32 = 0x01
            let body = SFTPWire.string(path) + SFTPWire.number(hasSize) + SFTPWire.number(size)
            try requireStatus(try ask(.setAttributes, body), "cut")
        }
    }

    /// Takes a file away.
    func remove(_ path: [UInt8]) throws(Failure) {
        try lock.withLock { _ throws(Failure) -> Void in
            try settle()
            try requireStatus(try ask(.remove, SFTPWire.string(path)), "removed")
        }
    }

    /// Bytes that the file system below `path` has free; `nil` when the server does not tell.
    func room(_ path: [UInt8]) -> UInt64? {
        lock.withLock { _ -> UInt64? in
            do throws(Failure) {
                try drain()
                let id = try ask(
                    .extended,
                    SFTPWire.string(Array("statvfs@openssh.com".utf8)) + SFTPWire.string(path)
                )
                return try takeRoom(id)
            } catch {
                // What is wrong with the connection is told by whoever writes next.
                return nil
            }
        }
    }

    /// Why the other end takes no more, as far as it can be known: SFTP 3 has one word for a full disk and for everything else,
    /// so the room that is left there is asked for. `nil` when there is room, or the other end does not tell.
    func fullness(_ handle: [UInt8]) -> String? {
        lock.withLock { _ -> String? in
            do throws(Failure) {
                try settle()
                let name = SFTPWire.string(Array("fstatvfs@openssh.com".utf8))
                let id = try ask(.extended, name + SFTPWire.string(handle))
                guard let bytes = try takeRoom(id), bytes < UInt64(SFTPConnection.piece) else { return nil }
                return "the disk there is full, \(bytes) bytes are left"
            } catch {
                // The question is beside the failure that is told in any case.
                return nil
            }
        }
    }

    /// Closes a handle whose file is given up, whatever the other end says.
    func giveUp(_ handle: [UInt8]) throws(Failure) {
        try lock.withLock { _ throws(Failure) -> Void in
            try settle()
            let id = try ask(.close, SFTPWire.string(handle))
            guard case .status(id, _, _) = try reply().content else { throw lost("an answer out of place") }
        }
    }

    /// Says good-bye. Everything is there and was answered for: how the program ends changes nothing of it.
    func end() {
        lock.withLock { _ in
            _ = shutdown(socket.number, Int32(SHUT_WR))
            guard let child = child.take() else { return }
            do throws(Failure) {
                _ = try child.finish(by: Deadline(after: .seconds(1)))
            } catch {
                // It cannot be waited for: it has ended.
                return
            }
        }
    }

    private static func mode(_ bits: UInt32) -> [UInt8] { SFTPWire.number(UInt32(0x04)) + SFTPWire.number(bits) }

    private func drain() throws(Failure) {
        if let broken { throw broken }
        while !waiting.isEmpty { try takeAnswer() }
    }

    /// Takes the answers that are still on their way, whatever they say.
    private func settle() throws(Failure) {
        if isLost { throw failure("the connection is lost") }
        while !waiting.isEmpty { try takeAnswer(minding: false) }
    }

    /// Takes the answer to a write; after one that failed the rest is only taken where nobody minds.
    private func takeAnswer(minding: Bool = true) throws(Failure) {
        guard case .status(let id, let code, let words) = try reply().content, let index = waiting.firstIndex(of: id)
        else {
            throw lost("an answer out of place")
        }
        waiting.remove(at: index)
        guard minding, code != 0 else { return }
        let refusal = failure("it cannot be written there: \(told(code, words))")
        broken = refusal
        throw refusal
    }

    private func requireStatus(_ id: UInt32, _ what: String, besides allowed: UInt32 = 0) throws(Failure) {
        guard case .status(id, let code, let words) = try reply().content else {
            throw lost("an answer out of place")
        }
        guard code == 0 || code == allowed else { throw failure("it cannot be \(what) there: \(told(code, words))") }
    }

    /// Bytes that are free; `nil` when the server cannot tell.
    private func takeRoom(_ id: UInt32) throws(Failure) -> UInt64? {
        switch try reply().content {
        case .room(id, let free): return free
        case .status(id, _, _): return nil
        default: throw lost("an answer out of place")
        }
    }

    private func ask(_ kind: SFTPWire.Kind, _ body: [UInt8]) throws(Failure) -> UInt32 {
        nextID &+= 1
        try put(SFTPWire.packet(kind, SFTPWire.number(nextID) + body))
        return nextID
    }

    private func put(_ bytes: [UInt8]) throws(Failure) {
        let limit = patience.limit()
        var rest = bytes[...]
        while !rest.isEmpty {
            guard patience.isReady(socket.number, POLLOUT, by: limit) else {
                throw lost("the other end does not answer")
            }
            let count = rest.withUnsafeBytes { Glibc.send(socket.number, $0.baseAddress, $0.count, atOnce) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw lost("the connection ended") }
            patience.took(count)
            rest = rest.dropFirst(count)
        }
    }

    private func reply() throws(Failure) -> SFTPReply {
        let limit = patience.limit()
        let length = try take(4, by: limit).reduce(0) { $0 << 8 | Int($1) }
        guard (5...SFTPWire.largestReply).contains(length), let reply = SFTPReply(try take(length, by: limit)) else {
            throw lost("an answer that is none of SFTP")
        }
        return reply
    }

    private func take(_ count: Int, by limit: Deadline?) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            guard patience.isReady(socket.number, POLLIN, by: limit) else {
                throw lost("the other end does not answer")
            }
            let read = bytes.withUnsafeMutableBytes { buffer in
                recv(socket.number, buffer.baseAddress?.advanced(by: filled), count - filled, 0)
            }
            if read < 0, errno == EINTR || errno == EAGAIN { continue }
            guard read > 0 else { throw lost("the connection ended") }
            filled += read
        }
        return bytes
    }

    private func told(_ code: UInt32, _ words: String) -> String {
        words.isEmpty ? SFTPWire.words(code) : words.lowercased()
    }

    /// Nothing more is asked: it would be waited for again.
    private func lost(_ reason: String) -> Failure {
        isLost = true
        let failure = failure(reason)
        broken = broken ?? failure
        return failure
    }

    private func failure(_ reason: String) -> Failure {
        Failure(.system, "send the bundle", on: subject, because: reason)
    }
}

/// MSG_NOSIGNAL and MSG_DONTWAIT of send(2): a reader that went away is an error here, not a signal.
let atOnce: Int32 = 0x4000 | 0x40
