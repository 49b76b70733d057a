import Base
import Bundles
public import Casework
public import Sealing

/// The heads of a case's journal that the seals of its own bundles tell (RT15): who rolls the journal back would have to
/// take the bundles with it.
public enum SealAnchors {
    /// How many bundles are looked at, the newest ones: each capture, and each rest of one, is a name.
    private static let most = 256

    /// Finds them with the keys that the store trusts; without any, unsigned seals are believed as the rest of such a
    /// case is. A bundle that was never sealed, or by another key, tells nothing; that one could not be read is told.
    public static func source(trusting keys: [VerifyingKey]) -> AnchorSource {
        { id, folder in
            let bundles = folder.appending("bundles")
            var look = AnchorLook()
            do throws(Failure) {
                for name in newest(of: try BundleShelf.names(in: bundles, of: id), id) {
                    do throws(Failure) {
                        let found = try anchor(in: bundles.appending(name), called: name, of: id, keys)
                        if let found { look.anchors.append(found) }
                    } catch {
                        look.unread.append(error)
                    }
                }
            } catch {
                look.unread.append(error)
            }
            return look
        }
    }

    /// The same with the key of the store, if it has one.
    public static func source(of key: SigningKey?) -> AnchorSource {
        source(trusting: key.map { [$0.verifyingKey] } ?? [])
    }

    private static func newest(of names: [String], _ id: CaseID) -> [String] {
        let numbered = names.compactMap { name in BundleShelf.number(of: name, in: id).map { (name, $0) } }
        return numbered.sorted { $0.1 > $1.1 }.prefix(most).map(\.0)
    }

    private static func anchor(
        in path: BytePath,
        called name: String,
        of id: CaseID,
        _ keys: [VerifyingKey]
    ) throws(Failure) -> JournalAnchor? {
        do throws(Failure) {
            let statement = try UnverifiedBundle.seal(in: path, signedBy: keys)
            guard statement.caseID == id.text, statement.purpose == .incident, let checkpoint = statement.checkpoint
            else { return nil }
            return JournalAnchor(size: checkpoint.sequence, head: checkpoint.head, place: "the seal of \(name)")
        } catch {
            guard error.code == .notFound || error.code == .notVerified else { throw error }
            return nil
        }
    }
}
