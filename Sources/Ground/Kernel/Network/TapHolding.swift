public import Base
internal import CLinux
internal import Glibc

extension ProcessDirectory {
    /// The numbers of the descriptors that serve a tap or a tun, by what fdinfo says of them: the device can be opened by
    /// any path. Nothing is opened. A descriptor that is closed meanwhile is none.
    public func tapDescriptors() throws(Failure) -> [Int32] {
        let path = BytePath("fd")
        let table = try directory.open(path, O_RDONLY | O_DIRECTORY, to: "list the open files of process \(pid)")
        var found: [Int32] = []
        for number in try table.numbers(in: path) where try link("fd/\(number)")?.isAbsolute == true {
            if isTap(number) { found.append(number) }
        }
        return found.sorted()
    }

    /// The driver of taps, and no other, tells the name of its interface there (drivers/net/tun.c, tun_chr_show_fdinfo).
    private func isTap(_ number: Int32) -> Bool {
        do throws(Failure) {
            return try read("fdinfo/\(number)").split(separator: UInt8(ascii: "\n")).contains { line in
                line.starts(with: "iff:\t".utf8)
            }
        } catch {
            return false
        }
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
