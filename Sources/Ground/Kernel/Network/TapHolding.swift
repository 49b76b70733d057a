public import Base
internal import CLinux
internal import Glibc

extension ProcessDirectory {
    /// The numbers of the descriptors that are open on /dev/net/tun: links are read, nothing is opened.
    public func tapDescriptors() throws(Failure) -> [Int32] {
        let path = BytePath("fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        var found: [Int32] = []
        for number in try table.numbers(in: path) where try link("fd/\(number)") == BytePath("/dev/net/tun") {
            found.append(number)
        }
        return found.sorted()
    }
}

extension PidFD {
    /// The inode of the network namespace of the interface that a process serves by one of its descriptors of
    /// /dev/net/tun. The interface itself is not touched.
    ///
    /// - Throws: `notFound` or `system` when the descriptor is closed by now or has no interface, `notPermitted` without
    ///   the right to look.
    public func tapNamespace(of descriptor: Int32) throws(Failure) -> UInt64 {
        let result = quell_tap_namespace(handle, descriptor)
        guard result >= 0 else {
            throw Failure(errno: -result, "look at a tap of process \(pin.pid)", on: BytePath("/dev/net/tun"))
        }
        return try Descriptor(adopting: result).identity(of: BytePath("ns/net")).inode
    }
}
