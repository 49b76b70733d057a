import Base
import Kernel

/// The mounts of one mount namespace of the session, and whom it is seen through.
struct MountView {
    let inode: UInt64
    let pin: ProcessPin
    let prefix: String
    /// `nil` when it could not be read.
    let table: MountTable?
    /// Why it is not there, or not whole.
    let gap: Failure?

    /// Bytes of a mount table that are read: there can be 100,000 mounts with paths of 4,096 bytes.
    static let most = 64 << 20

    /// All of them.
    static func all(_ parked: ParkedItem) -> [MountView] {
        let host = parked.host
        return parked.processes.mountNamespaces.map { space in
            var table: MountTable?
            var gap: Failure?
            do throws(Failure) {
                let (bytes, cut) = try parked.ask("read the mounts", on: "\(space.pin.pid)") { () throws(Failure) in
                    try ProcessDirectory(space.pin, on: host).bounded(space.prefix + "mountinfo", limit: most)
                }
                table = MountTable(parsing: bytes)
                gap = cut
            } catch {
                gap = error
            }
            return MountView(inode: space.inode, pin: space.pin, prefix: space.prefix, table: table, gap: gap)
        }
    }
}
