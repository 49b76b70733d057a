import COpenSSL

/// The one door to libcrypto: initialised once without its configuration file (RT38: nothing is loaded because a file
/// or a variable says so), algorithms fetched once.
///
/// Source: OPENSSL_init_crypto(3), EVP_MD_fetch(3), which advises against a fetch per operation.
enum CryptoLibrary {
    /// SHA-256 of the default provider. Immutable and shared by all threads, as EVP_MD_fetch(3) allows.
    nonisolated(unsafe) static let sha256: OpaquePointer = {
        start()
        guard let algorithm = EVP_MD_fetch(nil, "SHA256", nil) else {
            preconditionFailure("libcrypto has no SHA-256")
        }
        return algorithm
    }()

    /// AES-256-GCM of the default provider, as ``sha256``.
    nonisolated(unsafe) static let aes256GCM: OpaquePointer = {
        start()
        guard let algorithm = EVP_CIPHER_fetch(nil, "AES-256-GCM", nil) else {
            preconditionFailure("libcrypto has no AES-256-GCM")
        }
        return algorithm
    }()

    /// Without its exit handler, which would take it down under threads that still sign.
    private static let isStarted: Bool =
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG) | UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

    /// Initialises the library at the first call; later calls cost nothing.
    static func start() {
        precondition(isStarted, "libcrypto does not start")
    }

    /// The oldest error of this thread's queue in words; empties the queue.
    static func lastProblem() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else { return "unknown reason" }
        return String(cString: reason)
    }
}
