public import Base
internal import CLinux
internal import Glibc

/// The one owner of a file descriptor; closing is the end of its life. Every descriptor is opened with O_CLOEXEC.
///
/// Interrupted calls are repeated; every other failure carries its errno and the path that was tried.
/// Sources: open(2), openat2(2), read(2), pread(2), write(2).
public struct Descriptor: ~Copyable, Sendable {
    /// The number, valid as long as this value lives.
    public let number: Int32

    /// Takes over a descriptor that nobody else closes.
    public init(adopting number: Int32) {
        self.number = number
    }

    /// Opens a path as the caller sees it. `flags` are those of open(2); O_CLOEXEC is added.
    public init(opening path: BytePath, _ flags: Int32, mode: UInt32 = 0, to attempt: String = "open") throws(Failure) {
        let opened = path.withCString { name in
            repeating { quell_openat(AT_FDCWD, name, flags | O_CLOEXEC, mode) }
        }
        guard opened >= 0 else { throw Failure(errno: errno, attempt, on: path) }
        number = opened
    }

    /// Opens a path below this directory with openat(2).
    public func open(
        _ path: BytePath,
        _ flags: Int32,
        mode: UInt32 = 0,
        to attempt: String = "open"
    ) throws(Failure) -> Descriptor {
        let opened = path.withCString { name in
            repeating { quell_openat(number, name, flags | O_CLOEXEC, mode) }
        }
        guard opened >= 0 else { throw Failure(errno: errno, attempt, on: path) }
        return Descriptor(adopting: opened)
    }

    /// Opens a path below this directory with openat2(2). EAGAIN, which the kernel gives when a rename runs at the same
    /// time, is repeated up to 32 times.
    public func open(
        _ path: BytePath,
        _ flags: Int32,
        mode: UInt32 = 0,
        resolving: Resolve,
        to attempt: String = "open"
    ) throws(Failure) -> Descriptor {
        let opened = path.withCString { name in
            var result: Int32 = -1
            for _ in 0..<32 {
                result = repeating {
                    quell_openat2(
                        number,
                        name,
                        UInt64(UInt32(bitPattern: flags | O_CLOEXEC)),
                        UInt64(mode),
                        resolving.rawValue
                    )
                }
                if result >= 0 || errno != EAGAIN { break }
            }
            return result
        }
        guard opened >= 0 else { throw Failure(errno: errno, attempt, on: path) }
        return Descriptor(adopting: opened)
    }

    /// A second descriptor for the same open file, fcntl(2) F_DUPFD_CLOEXEC.
    public func duplicate() throws(Failure) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw Failure(errno: errno, "duplicate a descriptor", on: BytePath("fd \(number)")) }
        return Descriptor(adopting: copy)
    }

    /// Closes and reports the error of close(2), which for files that were written may be a lost write.
    public consuming func close(of path: BytePath) throws(Failure) {
        let number = self.number
        discard self
        guard Glibc.close(number) == 0 else { throw Failure(errno: errno, "close", on: path) }
    }

    /// Gives the number away; the caller closes it.
    public consuming func release() -> Int32 {
        let number = self.number
        discard self
        return number
    }

    deinit {
        _ = Glibc.close(number)
    }
}

/// How openat2(2) may walk; `RESOLVE_*` of linux/openat2.h.
public struct Resolve: OptionSet, Sendable {
    /// The bits of `open_how.resolve`.
    public let rawValue: UInt64
    /// Takes the bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Stay on the mount of the start.
    public static let noCrossing = Resolve(rawValue: 0x01)
    /// Follow no magic links such as /proc/PID/root.
    public static let noMagicLinks = Resolve(rawValue: 0x02)
    /// Follow no symbolic links at all.
    public static let noSymlinks = Resolve(rawValue: 0x04)
    /// Never leave the start directory.
    public static let beneath = Resolve(rawValue: 0x08)
    /// Treat the start directory as the root.
    public static let inRoot = Resolve(rawValue: 0x10)
}

/// A descriptor with several users; it is closed when the last one is gone.
public final class SharedDescriptor: Sendable {
    /// The descriptor, to be borrowed.
    public let descriptor: Descriptor
    /// Takes over the descriptor.
    public init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

/// Repeats a call as long as it is interrupted by a signal.
@inline(__always)
func repeating(_ call: () -> Int32) -> Int32 {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}

/// Repeats a call as long as it is interrupted by a signal.
@inline(__always)
func repeating(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
