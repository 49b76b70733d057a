import Base
import COpenSSL
import Glibc

/// One TimeStampResp as libcrypto holds it.
final class TimestampResponse {
    private let pointer: OpaquePointer

    /// Reads DER to its end.
    init(_ bytes: [UInt8]) throws(Failure) {
        CryptoLibrary.start()
        defer { ERR_clear_error() }
        guard bytes.count <= TimestampToken.sizeLimit else {
            throw TimestampResponse.malformed("it has \(bytes.count) bytes")
        }
        var used = 0
        let made = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var position = buffer.baseAddress
            guard let start = position, let made = d2i_TS_RESP(nil, &position, buffer.count) else { return nil }
            used = position.map { $0 - start } ?? 0
            return made
        }
        guard let made else { throw TimestampResponse.malformed("it is no DER of RFC 3161") }
        pointer = made
        guard used == bytes.count else { throw TimestampResponse.malformed("something follows its end") }
    }

    deinit { TS_RESP_free(pointer) }

    /// Whether the status is granted, with or without changes.
    var isGranted: Bool {
        guard let status else { return false }
        return (0...1).contains(status)
    }

    private var status: Int? {
        guard let info = TS_RESP_get_status_info(pointer), let status = TS_STATUS_INFO_get0_status(info) else {
            return nil
        }
        return ASN1_INTEGER_get(status)
    }

    /// The status in words; what the authority writes beside it is not told.
    var words: String { status.map { "status \($0) of RFC 3161" } ?? "no status" }

    /// The token in DER.
    func token() throws(Failure) -> [UInt8] {
        guard let token = TS_RESP_get_token(pointer) else { throw TimestampResponse.malformed("it has no token") }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_PKCS7(token, &bytes)
        guard count > 0, let start = bytes else { throw TimestampResponse.malformed("its token cannot be written") }
        defer { CRYPTO_free(start, "", 0) }
        return Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }

    private func info() throws(Failure) -> OpaquePointer {
        guard let info = TS_RESP_get_tst_info(pointer) else {
            throw TimestampResponse.malformed("it has no time in it")
        }
        return info
    }

    /// Seconds since 1970; parts of a second are dropped.
    func time() throws(Failure) -> Int {
        var broken = tm()
        guard let time = TS_TST_INFO_get_time(try info()), ASN1_TIME_to_tm(time, &broken) == 1 else {
            throw TimestampResponse.malformed("its time is none")
        }
        return timegm(&broken)
    }

    /// What it stamps has this SHA-256.
    func require(digest: Digest) throws(Failure) {
        guard let imprint = TS_TST_INFO_get_msg_imprint(try info()),
            let algorithm = TS_MSG_IMPRINT_get_algo(imprint), let message = TS_MSG_IMPRINT_get_msg(imprint)
        else { throw TimestampResponse.malformed("it does not say what it stamps") }
        var name: OpaquePointer?
        X509_ALGOR_get0(&name, nil, nil, algorithm)
        let length = Int(ASN1_STRING_length(message))
        let found = ASN1_STRING_get0_data(message).map { Array(UnsafeBufferPointer(start: $0, count: length)) }
        guard OBJ_obj2nid(name) == NID_sha256, found == digest.bytes else {
            throw TimestampResponse.unverified("it stamps something else")
        }
    }

    /// It repeats the number of the query.
    func require(nonce: [UInt8]) throws(Failure) {
        guard let number = TS_TST_INFO_get_nonce(try info()) else {
            throw TimestampResponse.unverified("it does not repeat the query's number")
        }
        let length = Int(ASN1_STRING_length(number))
        let found = ASN1_STRING_get0_data(number).map { Array(UnsafeBufferPointer(start: $0, count: length)) }
        guard found == nonce else { throw TimestampResponse.unverified("it answers another query") }
    }

    /// The certificate in the token that its one signer names; the caller frees it.
    func signer() throws(Failure) -> OpaquePointer {
        defer { ERR_clear_error() }
        guard let token = TS_RESP_get_token(pointer), let signers = PKCS7_get0_signers(token, nil, 0) else {
            throw TimestampResponse.unverified("the certificate of its signer is not in it")
        }
        defer { OPENSSL_sk_free(signers) }
        guard OPENSSL_sk_num(signers) == 1, let first = OPENSSL_sk_value(signers, 0) else {
            throw TimestampResponse.malformed("it has not exactly one signer")
        }
        let certificate = OpaquePointer(first)
        guard X509_up_ref(certificate) == 1 else { throw TimestampResponse.malformed("its certificate cannot be held") }
        return certificate
    }

    /// What is wrong with the token, or `nil`: version, digest, signature, the purpose of the signer's certificate, and
    /// that it leads to one of `authorities`, or to itself where `own` is given. Certificates are judged at `time`, as they
    /// stood when the token was made (RT31).
    func problem(
        _ digest: Digest,
        at time: Int,
        trusting authorities: [TimeAuthority],
        else own: OpaquePointer?
    ) -> String? {
        defer { ERR_clear_error() }
        guard let context = TS_VERIFY_CTX_new() else { return "no memory" }
        defer { TS_VERIFY_CTX_free(context) }
        guard let store = X509_STORE_new() else { return "no memory" }
        // The context frees the store and the digest with itself.
        TS_VERIFY_CTX_set_store(context, store)
        for authority in authorities { authority.forEach { _ = X509_STORE_add_cert(store, $0) } }
        if let own {
            _ = X509_STORE_add_cert(store, own)
            X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        }
        X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), time)
        guard let imprint = CRYPTO_malloc(Digest.length, "", 0) else { return "no memory" }
        imprint.copyMemory(from: digest.bytes, byteCount: Digest.length)
        TS_VERIFY_CTX_set_imprint(context, imprint.assumingMemoryBound(to: UInt8.self), Digest.length)
        TS_VERIFY_CTX_set_flags(context, TimestampResponse.everything)
        return TS_RESP_verify_response(context, pointer) == 1 ? nil : CryptoLibrary.lastProblem()
    }

    /// TS_VFY_SIGNATURE, _VERSION, _IMPRINT and _SIGNER of openssl/ts.h.
    private static let everything: Int32 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 6

    /// The subject of a certificate in one line of printable ASCII.
    static func name(of certificate: OpaquePointer) -> String {
        var line = [CChar](repeating: 0, count: 256)
        guard X509_NAME_oneline(X509_get_subject_name(certificate), &line, Int32(line.count)) != nil else {
            return "no name"
        }
        return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the timestamp", on: "RFC 3161", because: reason)
    }

    static func unverified(_ reason: String) -> Failure {
        Failure(.notVerified, "verify the timestamp", on: "RFC 3161", because: reason)
    }
}
