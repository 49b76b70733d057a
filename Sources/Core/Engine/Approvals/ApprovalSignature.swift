import Base
import Sealing

/// A signature over a request, and whose it is.
enum ApprovalSignature {
    /// The person who signed `request`; `nil` when nobody did whom the trust file named when it was asked.
    static func signer(of text: [UInt8], over request: ApprovalRequest) -> TrustedPerson? {
        do {
            let key = try key(of: try SSHSignature(parsing: text), over: request)
            return TrustList(request.persons).owner(of: key)
        } catch {
            return nil
        }
    }

    /// The key that signed `request`. Who pastes a text may lose its last newline, which changes nothing of what was read.
    ///
    /// - Throws: `notVerified`.
    static func key(of signature: SSHSignature, over request: ApprovalRequest) throws(Failure) -> SSHPublicKey {
        let message = Array(request.text.utf8)
        do {
            return try signature.verify(message, as: .approval)
        } catch {
            return try signature.verify(Array(message.dropLast()), as: .approval)
        }
    }
}
