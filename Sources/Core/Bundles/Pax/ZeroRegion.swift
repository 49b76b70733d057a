import Base
import Glibc

/// A gibibyte of zeros that costs no memory: an anonymous read-only mapping. Holes and padding are fed from it in large
/// steps, and reading it is always allowed.
final class ZeroRegion {
    static let size = 1 << 30
    let bytes: UnsafeRawBufferPointer
    private let address: UnsafeMutableRawPointer

    init() throws(Failure) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let address = mmap(nil, Self.size, PROT_READ, flags, -1, 0), address != MAP_FAILED else {
            throw Failure(errno: errno, "map zeros", on: BytePath("memory"))
        }
        self.address = address
        bytes = UnsafeRawBufferPointer(start: address, count: Self.size)
    }

    deinit { munmap(address, Self.size) }
}
