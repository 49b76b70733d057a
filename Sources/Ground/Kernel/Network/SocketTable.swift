internal import Base

/// What a process holds of sockets, and where it can have parked more, which no descriptor shows (RT29). Source:
/// proc_pid_fdinfo(5), net/unix/af_unix.c, io_uring/fdinfo.c of the kernel.
public struct SocketTable: Sendable, Hashable {
    /// The sockets in its descriptor tables.
    public var holdings: Set<SocketHolding> = []
    /// How many descriptors wait in messages that nobody has received yet at its unix sockets.
    public var inFlight = 0
    /// The sockets that are registered with its io_urings.
    public var registered: Set<UInt64> = []
    /// How many other files are registered of which the kernel does not tell what they are: it has told their whole path
    /// since 6.7.
    public var unnamed = 0
    /// How many io_urings it has.
    public var rings = 0
    /// Of how many of them the kernel tells nothing, because they are in use now.
    public var busyRings = 0

    /// Starts with nothing.
    public init() {}

    static let ring = BytePath("anon_inode:[io_uring]")

    /// The number of descriptors in the receive queue of a unix socket, from its fdinfo; 0 for other sockets.
    static func waiting(_ info: [UInt8]) -> Int {
        let key = Array("scm_fds: ".utf8)
        for line in info.split(separator: UInt8(ascii: "\n")) where line.starts(with: key) {
            return Decimal.uint64(line.dropFirst(key.count)).map { Int(clamping: $0) } ?? 0
        }
        return 0
    }

    /// Takes the fdinfo of an io_uring: `UserFiles:`, and a line such as `    0: socket:[48878628]` for each.
    mutating func addRing(_ info: [UInt8]) {
        rings += 1
        var places: UInt64?
        var isInside = false
        var count = 0
        for line in info.split(separator: UInt8(ascii: "\n")) {
            if line.starts(with: "UserFiles:\t".utf8) {
                places = Decimal.uint64(line.dropFirst("UserFiles:\t".utf8.count))
                isInside = true
                continue
            }
            guard isInside else { continue }
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1)
            guard parts.count == 2, Decimal.uint64(parts[0].drop { $0 == UInt8(ascii: " ") }) != nil else {
                isInside = false
                continue
            }
            count += 1
            take(BytePath(parts[1].dropFirst()))
        }
        // Before 6.12 the number is there without the lines when the ring is in use.
        if places == nil || places != 0 && count == 0 { busyRings += 1 }
    }

    private mutating func take(_ target: BytePath) {
        if let inode = target.socketInode {
            registered.insert(inode)
        } else if !target.isAbsolute, target != BytePath("<none>"), target.inode(after: "pipe:[") == nil,
            !target.bytes.starts(with: "anon_inode:".utf8)
        {
            unnamed += 1
        }
    }
}
