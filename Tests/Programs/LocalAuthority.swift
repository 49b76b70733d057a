import Glibc

/// A time stamping authority by `openssl ts` in a folder: what somebody runs who has no other.
public struct LocalAuthority {
    /// Where its keys and certificates lie.
    public let folder: String

    /// Makes a CA and, under it, the certificate of an authority, which is valid from now for one day.
    public init(in folder: String) throws(Program.Problem) {
        self.folder = folder
        Files.write(LocalAuthority.configuration, to: "\(folder)/tsa.cnf")
        Files.write("01\n", to: "\(folder)/serial")
        try openssl("req -x509 -newkey ed25519 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2")
        try openssl("req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa")
        try openssl(
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 1 -extfile tsa.cnf -extensions tsa"
        )
    }

    /// The CA's certificate.
    public var certificate: String { Files.text("\(folder)/ca.pem") ?? "" }

    /// Answers a query.
    public func answer(_ query: [UInt8]) throws(Program.Problem) -> [UInt8] {
        Files.write(query, to: "\(folder)/q.tsq")
        try openssl(
            "ts -reply -config tsa.cnf -section tsa_config -queryfile q.tsq -signer tsa.pem -inkey tsa.key -out r.tsr"
        )
        guard let answer = Files.read("\(folder)/r.tsr") else { throw Program.Problem("openssl ts left no answer") }
        return answer
    }

    /// Runs openssl in the folder; it must succeed.
    public func openssl(_ arguments: String) throws(Program.Problem) {
        let words = arguments.split(separator: " ").map(String.init)
        let result = try Program("/usr/bin/openssl", words, directory: folder).run()
        guard result.status == 0 else { throw Program.Problem("openssl \(arguments): \(result.errorText)") }
    }

    private static let configuration = """
        [tsa]
        extendedKeyUsage = critical,timeStamping
        basicConstraints = CA:false
        [tsa_config]
        dir = .
        serial = ./serial
        crypto_device = builtin
        signer_digest = sha256
        default_policy = 1.2.3.4.1
        other_policies = 1.2.3.4.5
        digests = sha256
        accuracy = secs:1
        ordering = no
        tsa_name = no
        ess_cert_id_chain = no
        ess_cert_id_alg = sha256

        """
}
