import Base
import Kernel

/// The mounts of one mount namespace of the session, and whom it is seen through.
struct MountView {
    let inode: UInt64
    let pin: ProcessPin
    let prefix: String
    /// `nil` when it could not be read.
    let table: MountTable?

    /// All of them.
    static func all(_ parked: ParkedItem) -> [MountView] {
        let host = parked.host
        return parked.processes.mountNamespaces.map { space in
            var table: MountTable?
            do throws(Failure) {
                table = try parked.ask("read the mounts", on: "\(space.pin.pid)") { () throws(Failure) in
                    let process = try ProcessDirectory(space.pin, on: host)
                    return MountTable(parsing: try process.contents(space.prefix + "mountinfo", limit: 16 << 20))
                }
            } catch {
                table = nil
            }
            return MountView(inode: space.inode, pin: space.pin, prefix: space.prefix, table: table)
        }
    }
}
