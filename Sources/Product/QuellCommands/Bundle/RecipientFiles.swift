import Base
import Documents
import Sealing

/// Who may open what is encrypted, from files.
enum RecipientFiles {
    /// The certificates that a person named, in PEM: any path (RT21).
    ///
    /// - Throws: why one cannot be read, or nothing can be encrypted to it.
    static func named(_ paths: [String], in environment: Environment) throws(Failure) -> [Recipient] {
        var recipients: [Recipient] = []
        for text in paths {
            let path = environment.absolute(BytePath(text))
            let bytes = try TrustedFile.readExplicit(
                path,
                limit: Recipient.largestFile,
                to: "read the recipient's certificate"
            )
            let recipient = try Recipient(pem: bytes, called: String(decoding: path.bytes, as: UTF8.self))
            if !recipients.contains(recipient) { recipients.append(recipient) }
        }
        return recipients
    }

    /// The standing ones: `recipients/*.pem` in the store, where nobody else can write (RT21). No folder: nobody.
    ///
    /// - Throws: `refused` when somebody else can write them; why one cannot be used: memory must not go to fewer than meant.
    static func standing(in store: BytePath) throws(Failure) -> [Recipient] {
        let folder = store.appending("recipients")
        let attempt = "read the recipients"
        var names: [BytePath] = []
        do throws(Failure) {
            names = try TrustedFile.names(in: folder, to: attempt)
        } catch {
            guard error.code == .notFound else { throw error }
        }
        var recipients: [Recipient] = []
        for name in names where name.bytes.suffix(4).elementsEqual(".pem".utf8) {
            let path = folder.appending(name)
            let bytes = try TrustedFile.read(path, limit: Recipient.largestFile, to: attempt)
            let recipient = try Recipient(pem: bytes, called: String(decoding: path.bytes, as: UTF8.self))
            if !recipients.contains(recipient) { recipients.append(recipient) }
        }
        return recipients
    }
}
