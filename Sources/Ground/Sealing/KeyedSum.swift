public import Base
import COpenSSL

/// A random key for ``KeyedSum``, known to this process alone and nowhere written down.
public struct SumKey: Sendable {
    let bytes: [UInt8]

    /// Makes a key.
    ///
    /// - Throws: `system` when libcrypto has no random numbers.
    public init() throws(Failure) {
        CryptoLibrary.start()
        var bytes = [UInt8](repeating: 0, count: 32)
        guard RAND_bytes(&bytes, 32) == 1 else {
            throw Failure(.system, "make a key", on: "libcrypto", because: CryptoLibrary.lastProblem())
        }
        self.bytes = bytes
    }

    init(bytes: [UInt8]) { self.bytes = bytes }
}

/// AES-256-GMAC over a stream of bytes (NIST SP 800-38D): whether two readings are of the same bytes, at a fifth of what
/// SHA-256 costs. Nobody without the key can make other bytes with the same sum, so it holds against who may write to a
/// file between two readings. It says nothing to anybody else: what is told and signed is SHA-256.
///
/// It owns memory of libcrypto, so it cannot be copied.
public struct KeyedSum: ~Copyable {
    /// What came of it.
    public struct Tag: Hashable, Sendable {
        let high: UInt64
        let low: UInt64
    }

    private let context: OpaquePointer

    /// Starts a sum. Under one key, `number` stands for one content: sums of two contents with one number would tell about
    /// the key whoever saw them, so none leaves the process.
    public init(_ key: SumKey, number: UInt64) {
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("no memory for a keyed sum") }
        self.context = context
        var start = [UInt8](repeating: 0, count: 12)
        for index in 0..<8 { start[11 - index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
        require(EVP_EncryptInit_ex(context, CryptoLibrary.aes256GCM, nil, key.bytes, start))
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Takes more bytes; the empty buffer changes nothing.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var position = 0
        while position < bytes.count {
            let count = min(bytes.count - position, 1 << 30)
            var taken: Int32 = 0
            let start = bytes.baseAddress.map { $0.advanced(by: position).assumingMemoryBound(to: UInt8.self) }
            require(EVP_EncryptUpdate(context, nil, &taken, start, Int32(count)))
            position += count
        }
    }

    /// The sum of everything since the start; nothing may follow.
    public mutating func finish() -> Tag {
        var rest: Int32 = 0
        var tag = [UInt8](repeating: 0, count: 16)
        require(EVP_EncryptFinal_ex(context, &tag, &rest))
        require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag))
        return tag.withUnsafeBytes {
            Tag(
                high: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    /// These calls fail only when libcrypto itself is broken or out of memory: there is nothing to go on with.
    private func require(_ status: Int32) {
        guard status == 1 else { preconditionFailure("libcrypto cannot sum: \(CryptoLibrary.lastProblem())") }
    }
}
