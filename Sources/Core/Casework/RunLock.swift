public import Base
import Glibc
import Synchronization

/// Says that a run goes on: the lock of a file in the case's folder. The kernel takes the lock back when the process ends,
/// however it ends, so a lock that is held means a living process and never what a dead one left.
///
/// It is an open file description lock (fcntl(2), F_OFD_SETLK): others can ask about it without taking it, and no other
/// descriptor of the process gives it back.
public final class RunLock: Sendable {
    private let file: Mutex<Int32?>
    private let path: BytePath

    fileprivate init(_ file: Int32, _ path: BytePath) {
        self.file = Mutex(file)
        self.path = path
    }

    deinit { release() }

    /// Gives it back; again does nothing.
    public func release() {
        file.withLock { file in
            guard let open = file else { return }
            _ = path.withCString { unlink($0) }
            close(open)
            file = nil
        }
    }
}

/// Who is at a run.
public struct RunHolder: Hashable, Sendable, CustomStringConvertible {
    /// Its process id; `nil` when it has not said so yet.
    public let pid: Int32?

    /// As people read it.
    public var description: String { pid.map { "process \($0)" } ?? "another process" }
}

extension Case {
    private var runs: BytePath { folder.appending("runs") }

    /// Takes the lock of a run for `attempt`, such as "resume the run".
    ///
    /// - Throws: `refused` with the process when a living one holds it; `system` when there can be no file for it.
    public func lock(run: String, to attempt: String) throws(Failure) -> RunLock {
        try StoreFolder.make(runs)
        let path = try lockFile(of: run)
        while true {
            let file = path.withCString { open($0, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600) }
            guard file >= 0 else { throw Failure(errno: errno, "lock the run", on: path) }
            guard RecordLock.take(file) else {
                let number = errno
                let holder = RunHolder(reading: file)
                Glibc.close(file)
                guard number == EAGAIN || number == EACCES else {
                    throw Failure(errno: number, "lock the run", on: path)
                }
                throw Failure(
                    .refused,
                    attempt,
                    on: run,
                    because: "\(holder) is at it now",
                    hint: "quell status \(id)"
                )
            }
            // Its last holder may have removed the file between our open and our lock.
            if RecordLock.hasName(file) {
                let pid = Array("\(getpid())\n".utf8)
                ftruncate(file, 0)
                _ = pwrite(file, pid, pid.count, 0)
                return RunLock(file, path)
            }
            Glibc.close(file)
        }
    }

    /// Who is at a run now; `nil` when nobody is. Takes nothing.
    ///
    /// - Throws: `system` when the lock's file is there and cannot be asked.
    public func holder(ofRun run: String) throws(Failure) -> RunHolder? {
        let path = try lockFile(of: run)
        let file = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) }
        guard file >= 0 else {
            let number = errno
            if number == ENOENT { return nil }
            throw Failure(errno: number, "ask about the run", on: path)
        }
        defer { Glibc.close(file) }
        guard let isTaken = RecordLock.isTaken(file) else {
            throw Failure(errno: errno, "ask about the run", on: path)
        }
        return isTaken ? RunHolder(reading: file) : nil
    }

    private func lockFile(of run: String) throws(Failure) -> BytePath {
        let isName =
            !run.isEmpty && run.utf8.count <= 64
            && run.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        guard isName else {
            throw Failure(.malformed, "lock the run", on: run, because: "it is not a run's name")
        }
        return runs.appending(run)
    }
}

extension RunHolder {
    /// What the holder wrote into the file.
    fileprivate init(reading file: Int32) {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(file, &bytes, bytes.count, 0)
        pid = count > 0 ? Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self)) : nil
    }
}

/// The calls of fcntl(2), on the whole file.
private enum RecordLock {
    // F_OFD_GETLK and F_OFD_SETLK of fcntl.h, which the importer leaves out.
    private static let ask: Int32 = 36
    private static let set: Int32 = 37

    private static func whole() -> flock {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }

    /// `false` with errno when it is not had.
    static func take(_ file: Int32) -> Bool {
        var lock = whole()
        return fcntl(file, set, &lock) == 0
    }

    /// `nil` with errno when the kernel does not say.
    static func isTaken(_ file: Int32) -> Bool? {
        var lock = whole()
        guard fcntl(file, ask, &lock) == 0 else { return nil }
        return lock.l_type != Int16(F_UNLCK)
    }

    static func hasName(_ file: Int32) -> Bool {
        var status = stat()
        return fstat(file, &status) == 0 && status.st_nlink > 0
    }
}
