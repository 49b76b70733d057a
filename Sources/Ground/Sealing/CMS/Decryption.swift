public import Base
import COpenSSL
import Glibc

/// What opens a volume: a recipient's certificate with its private key, or a passphrase.
public struct Opener: Sendable {
    fileprivate enum Means: Sendable {
        case key(PrivateKeyPointer, Recipient)
        case passphrase(Secret)
    }

    fileprivate let means: Means

    /// Takes a recipient's certificate and its private key in PEM.
    ///
    /// - Throws: `refused` when others can open the file, or when it is not the certificate's key; `malformed` when it is no
    ///   private key, or one that needs a passphrase.
    public init(_ recipient: Recipient, keyFile: BytePath) throws(Failure) {
        CryptoLibrary.start()
        defer { ERR_clear_error() }
        let name = String(decoding: keyFile.bytes, as: UTF8.self)
        var text = try OpenerFile.read(keyFile)
        defer { text.erase() }
        let found = text.withUnsafeBytes { bytes in
            MemoryStream(reading: bytes).flatMap { PEM_read_bio_PrivateKey($0.pointer, nil, noPassphrase, nil) }
        }
        guard let found else {
            throw Failure(
                .malformed,
                "read the recipient's key",
                on: name,
                because: "not a private key in PEM without a passphrase",
                hint: "openssl pkey -in KEY -out PLAIN takes the passphrase off: in memory, such as below /dev/shm"
            )
        }
        let key = PrivateKeyPointer(found)
        guard X509_check_private_key(recipient.pointer, found) == 1 else {
            throw Failure(
                .refused,
                "use the recipient's key",
                on: name,
                because: "it does not belong to the certificate \(recipient.fingerprint)"
            )
        }
        means = .key(key, recipient)
    }

    /// Takes a passphrase.
    public init(passphrase: Secret) { means = .passphrase(passphrase) }
}

private final class PrivateKeyPointer: @unchecked Sendable {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { EVP_PKEY_free(pointer) }
}

/// Opens one volume. libcrypto reads a whole CMS structure before it gives the first plain byte, and gives plain bytes before
/// it has authenticated them: so a volume is opened in memory, about five times its size, and nothing of it leaves
/// this room until all of it is authentic.
public enum Decryption {
    /// What is not opened: a volume has 64 MiB of content unless somebody chose otherwise.
    public static let largestVolume = 256 << 20

    /// Opens `volume` and hands all of its plain bytes to `body`, once and whole.
    ///
    /// - Parameters:
    ///   - volume: One CMS structure in BER and nothing behind it.
    ///   - name: What it is called in failures.
    /// - Throws: `notVerified` when it was altered or cut, when it is none for this opener; what `body` throws.
    public static func open(
        _ volume: UnsafeRawBufferPointer,
        called name: String,
        with opener: Opener,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        CryptoLibrary.start()
        ERR_clear_error()
        defer { ERR_clear_error() }
        let wrong = { (reason: String) -> Failure in Failure(.notVerified, "open the volume", on: name, because: reason)
        }
        guard volume.count <= largestVolume else { throw wrong("longer than \(largestVolume) bytes") }
        guard let input = MemoryStream(reading: volume), let output = MemoryStream() else { throw wrong("no memory") }
        guard let cms = d2i_CMS_bio(input.pointer, nil) else {
            throw wrong("not a whole CMS structure: it was cut or altered")
        }
        defer { CMS_ContentInfo_free(cms) }
        guard input.waiting == 0 else { throw wrong("\(input.waiting) bytes stand behind it") }
        let type = OBJ_obj2nid(CMS_get0_type(cms))
        let status: Int32
        switch opener.means {
        case .key(let key, let recipient):
            guard type == NID_id_smime_ct_authEnvelopedData else {
                throw wrong(
                    type == NID_pkcs7_enveloped ? "it was encrypted with a passphrase" : "not AuthEnvelopedData"
                )
            }
            guard CMS_decrypt_set1_pkey(cms, key.pointer, recipient.pointer) == 1 else {
                throw wrong("it is not for the recipient \(recipient.fingerprint), or it was altered")
            }
            status = CMS_decrypt(cms, nil, nil, nil, output.pointer, UInt32(CMS_BINARY))
        case .passphrase(let passphrase):
            guard type == NID_pkcs7_enveloped else { throw wrong("it was not encrypted with a passphrase") }
            let isOpen = passphrase.withBytes { bytes in
                CMS_decrypt_set1_password(
                    cms,
                    UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress),
                    bytes.count
                )
            }
            guard isOpen == 1 else { throw wrong("the passphrase does not open it, or it was altered") }
            status = CMS_decrypt(cms, nil, nil, nil, output.pointer, UInt32(CMS_BINARY))
        }
        guard status == 1 else { throw wrong("it was altered: its content is not authentic") }
        try output.lend(body)
    }
}

extension MemoryStream {
    /// Hands over what was written, in one piece, and overwrites it.
    fileprivate func lend(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        var start: UnsafeMutablePointer<CChar>?
        let count = BIO_ctrl(pointer, BIO_CTRL_INFO, 0, &start)
        guard count > 0, let start else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        defer { explicit_bzero(start, count) }
        try body(UnsafeRawBufferPointer(start: start, count: count))
    }
}

/// Reads a private key that is no key of Quell's own: the same care, a larger file.
private enum OpenerFile {
    static let limit = 64 << 10

    static func read(_ path: BytePath) throws(Failure) -> [UInt8] {
        let file = path.withCString { Glibc.open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) }
        guard file >= 0 else { throw Failure(errno: errno, "open the recipient's key", on: path) }
        defer { close(file) }
        let subject = String(decoding: path.bytes, as: UTF8.self)
        var status = stat()
        guard fstat(file, &status) == 0 else { throw Failure(errno: errno, "look at the recipient's key", on: path) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= limit else {
            throw Failure(
                .refused,
                "use the recipient's key",
                on: subject,
                because: "not a regular file of at most 64 KiB"
            )
        }
        guard status.st_mode & 0o077 == 0, status.st_uid == geteuid() || status.st_uid == 0 else {
            throw Failure(
                .refused,
                "use the recipient's key",
                on: subject,
                because: "others can open it",
                hint: "chmod 600 KEY"
            )
        }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw Failure(errno: errno, "read the recipient's key", on: path) }
        let text = Array(bytes[..<count])
        bytes.erase()
        return text
    }
}
