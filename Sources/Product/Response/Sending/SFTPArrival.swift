import Base
import Glibc

extension BytePath {
    /// The name of what is on its way to another host.
    var part: BytePath { BytePath(bytes + Array(".part".utf8)) }
}

extension SFTPConnection {
    /// Writes bytes; that the other disk is full is told as such.
    func put(_ bytes: UnsafeRawBufferPointer, to handle: [UInt8], at start: UInt64) throws(Failure) {
        do throws(Failure) {
            try write(bytes, to: handle, at: start)
        } catch {
            throw explained(error, handle)
        }
    }

    /// Brings a file to the other host's disk and closes it. It arrived when it is as long there as what was sent.
    func close(_ handle: [UInt8], of path: [UInt8], size: UInt64) throws(Failure) {
        do throws(Failure) {
            try close(handle)
        } catch {
            throw explained(error, handle)
        }
        let found = try self.size(path)
        guard found == size else {
            let subject = String(decoding: path, as: UTF8.self)
            let reason = "\(size) bytes were sent, \(found ?? 0) are there"
            throw Failure(.system, "send the bundle", on: subject, because: reason)
        }
    }

    /// A failure with what can be known of its cause: SFTP 3 has one word for all.
    private func explained(_ failure: Failure, _ handle: [UInt8]) -> Failure {
        guard let full = fullness(handle) else { return failure }
        return Failure(
            failure.code,
            failure.attempt,
            on: failure.subject,
            because: "\(failure.reason); \(full)",
            errno: ENOSPC,
            hint: failure.hint
        )
    }
}
