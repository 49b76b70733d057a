public import Base
import Glibc

/// The end of a case. Its journal tells it; the file `closed` in its folder repeats it, so that a freeze that looks for its
/// case opens no closed one.
extension Case {
    /// How a case was closed.
    public struct Closing: Hashable, Sendable {
        /// Why.
        public let reason: String
        /// Whether it still held something of a session then, which a person took upon them.
        public let isHolding: Bool
    }

    /// How it was closed; `nil` when it is open, or was opened again.
    ///
    /// - Throws: `malformed` when the journal was altered.
    public func closing() throws(Failure) -> Closing? {
        guard let closed = try journal.notes(about: "case-closed").last else { return nil }
        if let reopened = try journal.notes(about: "case-reopened").last, reopened.sequence > closed.sequence {
            return nil
        }
        let body = closed.meant.body
        return Closing(reason: body["reason"]?.string ?? "", isHolding: body["waiver"] != nil)
    }

    /// Whether it is closed.
    ///
    /// - Throws: `malformed` when the journal was altered.
    public func isClosed() throws(Failure) -> Bool { try closing() != nil }

    /// Closes the case; a checkpoint follows when there is a key. No verb joins it any more, with one exception: with
    /// `waiver`, the reason why it is closed although it still holds a session, whoever acts on that session opens it again.
    /// Closing a case again whose file a crash has kept from being written writes it.
    ///
    /// - Throws: `refused` when it is closed already, or why the journal cannot be written.
    public func close(because reason: String, holding waiver: String? = nil, by actor: Responder) throws(Failure) {
        if let closing = try closing() {
            guard ClosedMark.of(folder) == .open else {
                throw Failure(.refused, "close the case", on: id.text, because: "it is closed already")
            }
            return try ClosedMark.set(closing.isHolding ? .holding : .closed, in: folder)
        }
        var body = JSONObject()
        body["reason"] = .string(reason)
        if let waiver { body["waiver"] = .string(waiver) }
        try journal.append([EntryDraft(note: "case-closed", .object(body), by: actor)])
        try ClosedMark.set(waiver == nil ? .closed : .holding, in: folder)
    }

    /// The same case, open again, because a session that it holds is acted upon. The file goes first: a crash in between
    /// leaves a case that is closed by its journal, which is looked up.
    func reopened() throws(Failure) -> Case {
        try ClosedMark.set(.open, in: folder)
        try journal.append([EntryDraft(note: "case-reopened", by: .quell)])
        return Case(id: id, folder: folder, host: host, journal: journal, isReopened: true)
    }
}

/// What the file `closed` in the folder of a case says: a hint, which spares opening its database.
enum ClosedMark {
    /// There is none: the case is open, or a crash came between its end and the file.
    case open
    /// It is empty: nothing was held when it was closed.
    case closed
    /// It is not: the case was closed while it held something.
    case holding

    private static func path(in folder: BytePath) -> BytePath { folder.appending("closed") }

    static func of(_ folder: BytePath) -> ClosedMark {
        var status = stat()
        guard path(in: folder).withCString({ lstat($0, &status) }) == 0 else { return .open }
        return status.st_size == 0 ? .closed : .holding
    }

    static func set(_ mark: ClosedMark, in folder: BytePath) throws(Failure) {
        let path = path(in: folder)
        guard mark != .open else {
            guard path.withCString({ unlink($0) }) == 0 || errno == ENOENT else {
                throw Failure(errno: errno, "open the case again", on: path)
            }
            return
        }
        let file = path.withCString { Glibc.open($0, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard file >= 0 else { throw Failure(errno: errno, "mark the case as closed", on: path) }
        defer { Glibc.close(file) }
        guard mark == .closed || write(file, "held\n", 5) == 5 else {
            throw Failure(errno: errno, "mark the case as closed", on: path)
        }
    }
}
