public import Base
import COpenSSL

/// Encrypts one volume as CMS (RFC 5652) in BER while its bytes pass by, in constant memory.
///
/// To recipients it is AuthEnvelopedData with AES-256-GCM; RSA keys carry the volume's key by OAEP with SHA-256, EC keys by
/// ECDH. `openssl cms -decrypt -inform DER -in VOLUME -recip CERT -inkey KEY` opens it. Not for use from two threads at once.
public final class Encryption {
    /// How often a passphrase is hashed: OpenSSL 3.0 derives by HMAC-SHA-1 here, for which OWASP (2023) asks 1,300,000.
    static let iterations: Int32 = 1_300_000

    private let cms: OpaquePointer
    private let output: MemoryStream
    private let chain: OpaquePointer
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    private var isFinished = false
    private var isEmpty = true

    /// Starts a volume; the bytes of the CMS structure go to `sink` in pieces, the last of them in ``finish()``.
    ///
    /// - Throws: `refused` when there is no recipient; `system` when libcrypto cannot begin.
    public init(
        for audience: Audience,
        sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        CryptoLibrary.start()
        ERR_clear_error()
        let cms = try Encryption.make(for: audience)
        guard let output = MemoryStream(), let chain = BIO_new_CMS(output.pointer, cms) else {
            CMS_ContentInfo_free(cms)
            throw Encryption.failure("begin")
        }
        self.cms = cms
        self.output = output
        self.chain = chain
        self.sink = sink
    }

    deinit {
        // The streams that libcrypto put before ours, down to ours, which has its own owner.
        var next: OpaquePointer? = chain
        while let stream = next, stream != output.pointer {
            next = BIO_pop(stream)
            BIO_free(stream)
        }
        CMS_ContentInfo_free(cms)
        buffer.deallocate()
    }

    /// Appends plain bytes.
    ///
    /// - Throws: what the sink throws; `system` when libcrypto cannot encrypt.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = BIO_write(chain, rest.baseAddress, Int32(min(rest.count, 256 << 10)))
            guard count > 0 else { throw Encryption.failure("encrypt") }
            isEmpty = false
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
            try output.drain(buffer, sink)
        }
    }

    /// Ends the volume: what authenticates it is written last.
    ///
    /// - Throws: as ``append(_:)``; `refused` the second time, and when there was no byte: OpenSSL 3.0 cannot stream an empty
    ///   structure.
    public func finish() throws(Failure) {
        guard !isFinished else { throw Failure(.refused, "end the encryption", on: "volume", because: "it is ended") }
        isFinished = true
        guard !isEmpty else { throw Failure(.refused, "end the encryption", on: "volume", because: "it is empty") }
        guard BIO_ctrl(chain, BIO_CTRL_FLUSH, 0, nil) == 1 else { throw Encryption.failure("end the encryption") }
        try output.drain(buffer, sink)
    }

    private static func make(for audience: Audience) throws(Failure) -> OpaquePointer {
        let flags = UInt32(CMS_STREAM | CMS_BINARY | CMS_PARTIAL)
        let cipher =
            switch audience {
            case .recipients: EVP_aes_256_gcm()
            case .passphrase: EVP_aes_256_cbc()
            }
        guard let cms = CMS_encrypt(nil, nil, cipher, flags) else { throw failure("begin") }
        do throws(Failure) {
            switch audience {
            case .recipients(let recipients):
                guard !recipients.isEmpty else {
                    throw Failure(.refused, "encrypt", on: "volume", because: "there is no recipient")
                }
                for recipient in recipients { try add(recipient, to: cms) }
            case .passphrase(let passphrase): try add(passphrase, to: cms)
            }
            return cms
        } catch {
            CMS_ContentInfo_free(cms)
            throw error
        }
    }

    private static func add(_ recipient: Recipient, to cms: OpaquePointer) throws(Failure) {
        let isRSA = X509_get0_pubkey(recipient.pointer).map { EVP_PKEY_get_base_id($0) == EVP_PKEY_RSA } ?? false
        let flags = UInt32(CMS_BINARY | (isRSA ? CMS_KEY_PARAM : 0))
        guard let info = CMS_add1_recipient_cert(cms, recipient.pointer, flags) else {
            throw failure("encrypt to \(recipient.fingerprint)")
        }
        guard isRSA else { return }
        guard let context = CMS_RecipientInfo_get0_pkey_ctx(info),
            EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0,
            EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0
        else { throw failure("encrypt to \(recipient.fingerprint)") }
    }

    private static func add(_ passphrase: Secret, to cms: OpaquePointer) throws(Failure) {
        guard passphrase.count > 0, let copy = passphrase.withBytes({ CRYPTO_memdup($0.baseAddress, $0.count, "", 0) })
        else { throw Failure(.refused, "encrypt", on: "volume", because: "the passphrase is empty") }
        let bytes = copy.assumingMemoryBound(to: UInt8.self)
        // On success the structure owns the copy and clears it.
        guard CMS_add0_recipient_password(cms, iterations, NID_undef, NID_undef, bytes, passphrase.count, nil) != nil
        else {
            CRYPTO_clear_free(copy, passphrase.count, "", 0)
            throw failure("encrypt with the passphrase")
        }
    }

    private static func failure(_ attempt: String) -> Failure {
        Failure(.system, attempt, on: "CMS", because: CryptoLibrary.lastProblem())
    }
}
