public import Base
import COpenSSL

/// Somebody who may open what is encrypted: an X.509 certificate with an RSA key of 2048 bits and more, or an EC key.
///
/// Nothing of the certificate is judged but its key: no chain, no date, no purpose. Who puts it into the store or names it
/// says that its owner may read; a certificate that expired at three in the morning must not keep memory from being kept.
public struct Recipient: Sendable {
    /// SHA-256 of the certificate in DER: what `openssl x509 -noout -fingerprint -sha256` prints, in lower case without
    /// colons.
    public let fingerprint: Digest
    /// Its subject in one line, such as `/CN=evidence`, as it stands there; escape it where it is printed.
    public let subject: String
    let certificate: CertificatePointer

    /// The most that a file with a certificate may have.
    public static let largestFile = 64 << 10

    /// Reads exactly one certificate in PEM, text around it is allowed.
    ///
    /// - Parameters:
    ///   - text: The content of the file.
    ///   - name: What it is called in failures.
    /// - Throws: `malformed` when there is none or more than one; `refused` when nothing can be encrypted to its key.
    public init(pem text: [UInt8], called name: String) throws(Failure) {
        CryptoLibrary.start()
        defer { ERR_clear_error() }
        let wrong = { (reason: String) -> Failure in
            Failure(.malformed, "read the recipient's certificate", on: name, because: reason)
        }
        guard text.count <= Recipient.largestFile else { throw wrong("longer than 64 KiB") }
        let found = text.withUnsafeBytes { bytes -> (first: OpaquePointer?, second: OpaquePointer?) in
            guard let stream = MemoryStream(reading: bytes) else { return (nil, nil) }
            let first = PEM_read_bio_X509(stream.pointer, nil, noPassphrase, nil)
            return (first, first == nil ? nil : PEM_read_bio_X509(stream.pointer, nil, noPassphrase, nil))
        }
        guard let first = found.first else { throw wrong("no X.509 certificate in PEM") }
        certificate = CertificatePointer(first)
        if let second = found.second {
            X509_free(second)
            throw wrong("more than one certificate: keep one in each file")
        }
        guard let der = Recipient.der(of: first) else { throw wrong("no certificate that can be written again") }
        fingerprint = SHA256.digest(of: der)
        subject = Recipient.subject(of: first)
        if let problem = Recipient.problem(of: first) {
            throw Failure(.refused, "encrypt to the recipient", on: name, because: problem)
        }
    }

    private static func problem(of certificate: OpaquePointer) -> String? {
        guard let key = X509_get0_pubkey(certificate) else { return "its key is of no known kind" }
        switch EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_RSA:
            let bits = EVP_PKEY_get_bits(key)
            return bits < 2048 ? "its RSA key has \(bits) bits, which is too short" : nil
        case EVP_PKEY_EC: return nil
        default: return "its key is neither RSA nor EC: CMS cannot encrypt to it (ed25519 only signs)"
        }
    }

    private static func der(of certificate: OpaquePointer) -> [UInt8]? {
        let count = i2d_X509(certificate, nil)
        guard count > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(count))
        let written = bytes.withUnsafeMutableBufferPointer { buffer -> Int32 in
            var start = buffer.baseAddress
            return i2d_X509(certificate, &start)
        }
        return written == count ? bytes : nil
    }

    private static func subject(of certificate: OpaquePointer) -> String {
        var text = [CChar](repeating: 0, count: 512)
        guard let name = X509_get_subject_name(certificate),
            X509_NAME_oneline(name, &text, Int32(text.count)) != nil
        else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The key of certificates is not for signing here: only this room encrypts to it.
    var pointer: OpaquePointer { certificate.pointer }
}

extension Recipient: Hashable {
    /// Equal fingerprints are equal certificates.
    public static func == (left: Recipient, right: Recipient) -> Bool { left.fingerprint == right.fingerprint }
    /// Hashes the fingerprint.
    public func hash(into hasher: inout Swift.Hasher) { hasher.combine(fingerprint) }
}

/// To whom something is encrypted.
public enum Audience: Sendable {
    /// To the owners of these certificates, at least one: AES-256-GCM (RFC 5083, RFC 5084).
    case recipients([Recipient])
    /// To who knows the passphrase: AES-256-CBC, because OpenSSL 3.0 opens nothing else with one (RFC 5652 section 6.2.4).
    /// It has no integrity of its own: what was opened is evidence only after its digest was compared.
    case passphrase(Secret)

    /// What tells of it in an index: fingerprints, or the word.
    public var words: [String] {
        switch self {
        case .recipients(let recipients): recipients.map(\.fingerprint.hex)
        case .passphrase: ["passphrase"]
        }
    }
}
