public import Base
import COpenSSL

/// A certificate to which the signer of a timestamp must lead: that of a time stamping authority's CA.
public struct TimeAuthority: Hashable, Sendable {
    /// The certificates in PEM, one or several.
    public let pem: String

    private static let sizeLimit = 256 << 10
    private static let mostCertificates = 64

    /// Takes PEM with at least one certificate; text around the blocks is ignored, as `openssl -CAfile` does.
    ///
    /// - Throws: `malformed`.
    public init(pem: String) throws(Failure) {
        self.pem = pem
        guard pem.utf8.count <= TimeAuthority.sizeLimit, try count() > 0 else {
            throw Failure(.malformed, "read the certificate", on: "PEM", because: "there is no certificate in it")
        }
    }

    private func count() throws(Failure) -> Int {
        var count = 0
        forEach { _ in count += 1 }
        return count
    }

    /// Hands each certificate to `body`, which must not keep it.
    func forEach(_ body: (OpaquePointer) -> Void) {
        CryptoLibrary.start()
        defer { ERR_clear_error() }
        let text = Array(pem.utf8)
        guard let source = BIO_new_mem_buf(text, Int32(clamping: text.count)) else { return }
        defer { BIO_free(source) }
        for _ in 0..<TimeAuthority.mostCertificates {
            guard let certificate = PEM_read_bio_X509(source, nil, nil, nil) else { return }
            body(certificate)
            X509_free(certificate)
        }
    }
}
