import COpenSSL

/// A certificate of libcrypto with one owner. Immutable after its making, and shared by threads as X509(7) allows.
final class CertificatePointer: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }
}

/// A stream of libcrypto: bytes in memory to read, or that were written.
final class MemoryStream {
    let pointer: OpaquePointer

    /// An empty one to write to.
    init?() {
        guard let pointer = BIO_new(BIO_s_mem()) else { return nil }
        self.pointer = pointer
    }

    /// One that reads `content`, which stays where it is and must stay there as long as this lives.
    init?(reading content: UnsafeRawBufferPointer) {
        guard let count = Int32(exactly: content.count), let pointer = BIO_new_mem_buf(content.baseAddress, count)
        else {
            return nil
        }
        self.pointer = pointer
    }

    deinit { BIO_free(pointer) }

    /// Bytes that wait to be read.
    var waiting: Int { BIO_ctrl_pending(pointer) }

    /// Takes all waiting bytes, through `buffer`, and hands them over.
    func drain<Problem: Error>(
        _ buffer: UnsafeMutableRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) throws(Problem) -> Void
    ) throws(Problem) {
        while true {
            let count = BIO_read(pointer, buffer.baseAddress, Int32(clamping: buffer.count))
            guard count > 0 else { return }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
        }
    }
}

/// What libcrypto asks for the passphrase of a PEM file: there is none to give, and nobody is asked at a terminal.
let noPassphrase: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
    _,
    _,
    _,
    _ in -1
}
