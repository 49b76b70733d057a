import Base
import Casework
import Glibc
import Testing

@testable import Response

@Suite("Heads that seals tell")
struct SealAnchorTests {
    private let temporary: TemporaryStore

    init() throws { temporary = try TemporaryStore() }

    @Test("RT15 a seal that cannot be read, and a folder that cannot be listed, are told; what is not there is none")
    func unread() throws {
        let home = try temporary.store.create(about: [], by: .quell)
        let look = SealAnchors.source(trusting: [])
        #expect(look(home.id, home.folder).unread == [])
        try home.makeBundlesFolder()
        let name = home.bundles.appending("\(home.id)-1")
        #expect(name.withCString { mkdir($0, 0o700) } == 0)
        // Never sealed, because of a crash.
        #expect(look(home.id, home.folder).unread == [])
        let other = home.bundles.appending("\(home.id)-2")
        #expect(other.withCString { creat($0, 0o600) } >= 0)
        #expect(look(home.id, home.folder).unread.map(\.errno) == [ENOTDIR])
        #expect(other.withCString { unlink($0) } == 0 && name.withCString { rmdir($0) } == 0)
        #expect(home.bundles.withCString { rmdir($0) } == 0)
        #expect(home.bundles.withCString { creat($0, 0o600) } >= 0)
        let found = look(home.id, home.folder)
        #expect(found.anchors.isEmpty && found.unread.map(\.errno) == [ENOTDIR])
        #expect(!(try temporary.store.anchored(by: look).open(home.id).journal.verify().isSound))
    }
}
