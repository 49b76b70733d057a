import Base
import Glibc
import Kernel

/// Writes one new file on another host as its bytes come, through a program that speaks SFTP on its standard input and output.
/// The file is called NAME.part until all of it is there and on disk; an existing file of either name is never touched.
final class SFTPUpload {
    /// Writes that wait for an answer at the same time, of 32 KiB each: a window of 2 MiB.
    private static let window = 64
    private static let piece = 32 << 10

    private let path: [UInt8]
    private let subject: String
    private let socket: Descriptor
    private let patience: Duration
    private var handle: [UInt8] = []
    private var nextID: UInt32 = 0
    private var waiting: [UInt32] = []
    private var pending: [UInt8] = []
    private var offset: UInt64 = 0
    private var isClosed = false
    private var isLost = false

    /// `socket` is our end of the program's standard input and output.
    init(to path: BytePath, through socket: consuming Descriptor, patience: Duration = .seconds(120)) throws(Failure) {
        self.path = path.bytes
        subject = String(decoding: path.bytes, as: UTF8.self)
        self.socket = socket
        self.patience = patience
        try put(SFTPWire.packet(.initialise, SFTPWire.number(UInt32(3))))
        guard case .version(let version) = try reply().content, version >= 3 else {
            throw failure("the other end does not speak SFTP version 3")
        }
        let writeCreateExclusively: UInt32 = 0x02 | 0x08 | 0x20
        let permissions: UInt32 = 0x04
        let attributes = SFTPWire.number(permissions) + SFTPWire.number(UInt32(0o600))
        let id = try ask(.open, SFTPWire.string(partial) + SFTPWire.number(writeCreateExclusively) + attributes)
        switch try reply().content {
        case .handle(id, let handle): self.handle = handle
        case .status(_, let code, let words): throw failure("it cannot be made there: \(told(code, words))")
        default: throw failure("an answer out of place")
        }
    }

    private var partial: [UInt8] { path + Array(".part".utf8) }

    /// Appends bytes.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        pending += bytes
        while pending.count >= SFTPUpload.piece {
            try write(Array(pending.prefix(SFTPUpload.piece)))
            pending.removeFirst(SFTPUpload.piece)
        }
    }

    /// Brings the file to the other host's disk and gives it its name.
    func finish() throws(Failure) {
        if !pending.isEmpty { try write(pending) }
        pending = []
        while !waiting.isEmpty { try takeAnswer() }
        let sync = try ask(.extended, SFTPWire.string(Array("fsync@openssh.com".utf8)) + SFTPWire.string(handle))
        // A server that has no fsync says so (8), which is no error: it has the bytes.
        try requireStatus(sync, "brought to disk", besides: 8)
        isClosed = true
        try requireStatus(try ask(.close, SFTPWire.string(handle)), "closed")
        try requireStatus(try ask(.rename, SFTPWire.string(partial) + SFTPWire.string(path)), "given its name")
    }

    /// Takes the unfinished file away again, whatever the other end says of what is still on its way, as far as it answers.
    ///
    /// - Returns: why it still lies there; `nil` when it is gone.
    func abandon() -> String? {
        do throws(Failure) {
            try drain()
            if !isClosed { _ = try status(of: try ask(.close, SFTPWire.string(handle))) }
            try requireStatus(try ask(.remove, SFTPWire.string(partial)), "removed")
            return nil
        } catch {
            return error.reason
        }
    }

    /// Why the other end takes no more, as far as it can be known: SFTP 3 has one word for a full disk and for everything else,
    /// so the room that is left there is asked for. `nil` when there is room, or the other end does not tell.
    func fullness() -> String? {
        if isClosed { return nil }
        do throws(Failure) {
            try drain()
            let name = SFTPWire.string(Array("fstatvfs@openssh.com".utf8))
            let id = try ask(.extended, name + SFTPWire.string(handle))
            guard case .room(id, let bytes) = try reply().content, bytes < UInt64(SFTPUpload.piece) else { return nil }
            return "the disk there is full, \(bytes) bytes are left"
        } catch {
            // The question is beside the failure that is told in any case.
            return nil
        }
    }

    /// Takes the answers that are still on their way, whatever they say.
    private func drain() throws(Failure) {
        if isLost { throw failure("the connection is lost") }
        while !waiting.isEmpty {
            guard case .status(let id, _, _) = try reply().content, let index = waiting.firstIndex(of: id) else {
                throw failure("an answer out of place")
            }
            waiting.remove(at: index)
        }
    }

    private func write(_ piece: [UInt8]) throws(Failure) {
        if waiting.count >= SFTPUpload.window { try takeAnswer() }
        waiting.append(try ask(.write, SFTPWire.string(handle) + SFTPWire.number(offset) + SFTPWire.string(piece)))
        offset += UInt64(piece.count)
    }

    private func takeAnswer() throws(Failure) {
        guard case .status(let id, let code, let words) = try reply().content, let index = waiting.firstIndex(of: id)
        else {
            throw failure("an answer out of place")
        }
        waiting.remove(at: index)
        guard code == 0 else { throw failure("it cannot be written there: \(told(code, words))") }
    }

    /// The code and the words of the next answer, which is to `id`.
    private func status(of id: UInt32) throws(Failure) -> (code: UInt32, words: String) {
        guard case .status(id, let code, let words) = try reply().content else {
            throw failure("an answer out of place")
        }
        return (code, words)
    }

    private func requireStatus(_ id: UInt32, _ what: String, besides allowed: UInt32 = 0) throws(Failure) {
        let (code, words) = try status(of: id)
        guard code == 0 || code == allowed else { throw failure("it cannot be \(what) there: \(told(code, words))") }
    }

    private func ask(_ kind: SFTPWire.Kind, _ body: [UInt8]) throws(Failure) -> UInt32 {
        nextID += 1
        try put(SFTPWire.packet(kind, SFTPWire.number(nextID) + body))
        return nextID
    }

    private func put(_ bytes: [UInt8]) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard isReady(POLLOUT) else {
                throw lost("the other end does not answer")
            }
            let count = rest.withUnsafeBytes { send(socket.number, $0.baseAddress, $0.count, atOnce) }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw lost("the connection ended") }
            rest = rest.dropFirst(count)
        }
    }

    private func reply() throws(Failure) -> SFTPReply {
        let length = try take(4).reduce(0) { $0 << 8 | Int($1) }
        guard (5...SFTPWire.largestReply).contains(length), let reply = SFTPReply(try take(length)) else {
            throw failure("an answer that is none of SFTP")
        }
        return reply
    }

    private func take(_ count: Int) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            guard isReady(POLLIN) else {
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

    /// Waits until the channel can be read or written, or has ended.
    private func isReady(_ events: Int32) -> Bool {
        let deadline = Deadline(after: patience)
        while true {
            var one = pollfd(fd: socket.number, events: Int16(events), revents: 0)
            let count = poll(&one, 1, deadline.pollTimeout)
            if count > 0 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }

    private func told(_ code: UInt32, _ words: String) -> String {
        words.isEmpty ? SFTPWire.words(code) : words.lowercased()
    }

    /// Nothing more is asked: it would be waited for again.
    private func lost(_ reason: String) -> Failure {
        isLost = true
        return failure(reason)
    }

    private func failure(_ reason: String) -> Failure {
        Failure(.system, "send the bundle", on: subject, because: reason)
    }
}

/// MSG_NOSIGNAL of send(2): a reader that went away is an error here, not a signal.
private let atOnce: Int32 = 0x4000 | 0x40
