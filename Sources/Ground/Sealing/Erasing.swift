import Glibc

extension [UInt8] {
    /// Overwrites the bytes in place, for buffers that held a private key.
    mutating func erase() {
        withUnsafeMutableBytes { buffer in
            guard let start = buffer.baseAddress else { return }
            explicit_bzero(start, buffer.count)
        }
    }
}
