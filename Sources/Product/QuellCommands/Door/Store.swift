import Base
import Casework
import Glibc
import Response
import Sealing

extension Environment {
    /// The store that the person means, with its key when it has one. Nothing is opened yet but the key file.
    ///
    /// - Throws: `refused` when others can open the key.
    func store(_ chosen: String?) throws(Failure) -> CaseStore {
        let root = storeDirectory(chosen)
        let key = try CaseStore.loadKey(in: root)
        let spools = Workbench.spools(of: root)
        return CaseStore(at: root, host: try HostIdentity.read(), key: key, spools: spools)
            .anchored(by: SealAnchors.source(of: key))
    }

    /// The public half of the store's key: readable without the right to sign. Without a store nobody is trusted, which
    /// is no error.
    ///
    /// - Throws: `malformed` when the file is no key.
    func ownKeys(_ chosen: String?) throws(Failure) -> [VerifyingKey] {
        do throws(Failure) {
            return [try VerifyingKey(loading: storeDirectory(chosen).appending("keys/signing.pub.pem"))]
        } catch {
            guard error.code == .notFound || error.code == .notPermitted else { throw error }
            return []
        }
    }

    /// Who acts: `--as`, else the login user behind sudo, else the user of the process. Names come from the environment
    /// variable that sudo sets only when the login uid says the same; nothing is looked up by name services (RT38).
    func responder(_ stated: String?) -> Responder {
        if let stated { return Responder(stated, by: .stated) }
        if let login = loginUserID() {
            let isSudo = variable("SUDO_UID") == String(login)
            return Responder((isSudo ? variable("SUDO_USER") : nil) ?? "uid \(login)", by: .loginUser)
        }
        return Responder("uid \(userID)", by: .user)
    }

    /// /proc/self/loginuid, pam_loginuid(8); `nil` when it was never set.
    private func loginUserID() -> UInt32? {
        let file = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(file, &bytes, bytes.count)
        guard count > 0, let number = UInt32(String(decoding: bytes[..<count], as: UTF8.self)) else { return nil }
        return number == UInt32.max ? nil : number
    }

    /// The case that the person named, or the one in `$QUELL_CASE`.
    ///
    /// - Throws: `usage` when it is no name of a case.
    func namedCase(_ chosen: String?) throws(Failure) -> CaseID? {
        guard let text = chosen ?? variable("QUELL_CASE"), !text.isEmpty else { return nil }
        guard let id = CaseID(text) else {
            throw Failure(.usage, "find the case", on: text, because: "not a case's name", hint: "quell case list")
        }
        return id
    }
}
