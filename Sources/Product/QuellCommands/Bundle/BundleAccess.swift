import Base
import Bundles
import Casework
import Response
import Sealing

/// The record that somebody read a bundle, where its custody is kept.
enum BundleAccess {
    /// Records it; what hinders that is told and does not keep anybody from reading: the evidence may be needed now.
    static func record(
        _ what: String,
        of bundle: VerifiedBundle,
        _ options: BundleOptions,
        in environment: Environment,
        _ telling: Teller
    ) {
        let path = environment.absolute(BytePath(options.bundle))
        do throws(Failure) {
            guard try CustodyChain.isKept(beside: path) else { return }
            let record = CustodyRecord(
                .access,
                of: bundle.statement.name,
                root: bundle.root,
                by: environment.responder(nil).name,
                role: "reader",
                reason: what,
                place: "host \(HostName.read())",
                at: environment.now()
            )
            let chain = try CustodyChain.append(
                record,
                beside: path,
                of: bundle,
                try options.policy(in: environment),
                signedBy: try signer(options.common.store, in: environment)
            )
            if let chain { CustodyTelling.warn(chain, telling) }
        } catch {
            telling.warn("this access is not on record: \(error)")
        }
    }

    /// The key of the store.
    ///
    /// - Throws: `notFound` when it has none.
    static func signer(_ store: String?, in environment: Environment) throws(Failure) -> Signer {
        let root = environment.storeDirectory(store)
        guard let key = try CaseStore.loadKey(in: root) else {
            throw Failure(
                .notFound,
                "sign the custody",
                on: "\(root)",
                because: "the store has no key",
                hint: "quell init"
            )
        }
        return .key(key)
    }
}
