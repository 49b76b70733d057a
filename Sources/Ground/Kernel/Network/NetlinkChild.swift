internal import Base
internal import CLinux
internal import Glibc

/// A conversation over netlink in a child, which alone enters the network namespace. Some answers of sock_diag need the
/// lock of a socket, which a session can hold for as long as it likes; a child that waits for it is killed, or given up.
struct NetlinkChild {
    /// Whom the child talks to.
    enum Family: Int32 {
        case route = 0
        case sockDiag = 4

        fileprivate var words: String { self == .route ? "rtnetlink" : "sock_diag" }
        fileprivate var attempt: String { self == .route ? "ask for interfaces" : "ask for sockets" }
    }

    /// The datagrams that answered each request; a request that was not answered in time is not among them.
    private(set) var answers: [[[UInt8]]] = []

    /// Sends the requests, one after the other, in the namespace behind a descriptor (-1: the caller's).
    ///
    /// - Throws: `notPermitted` or `system` when the child cannot be made or cannot enter. Overrunning the deadline is no
    ///   error: answers are missing then.
    init(
        _ requests: [[UInt8]],
        to family: Family = .sockDiag,
        in namespace: Int32,
        by deadline: Deadline
    ) throws(Failure) {
        let bytes = requests.flatMap { $0 + [UInt8](repeating: 0, count: SockDiagMessage.aligned($0.count) - $0.count) }
        var output: Int32 = -1
        var pid: Int32 = -1
        let handle = quell_netlink_child(family.rawValue, namespace, bytes, bytes.count, &output, &pid)
        guard handle >= 0 else { throw Failure(errno: -handle, "start a child", on: BytePath(family.words)) }
        let child = ChildProcess(pid: pid, handle: Descriptor(adopting: handle), name: BytePath(family.words))
        let reading = Descriptor(adopting: output)
        try listen(to: reading, family, by: deadline)
        let isWhole = answers.count == requests.count
        _ = try child.finish(by: isWhole ? Deadline(after: .seconds(1)) : Deadline(after: .zero))
    }

    private mutating func listen(
        to reading: borrowing Descriptor,
        _ family: Family,
        by deadline: Deadline
    ) throws(Failure) {
        var buffer: [UInt8] = []
        var current: [[UInt8]] = []
        while reading.wait(for: POLLIN, until: deadline) {
            var count = 0
            buffer += [UInt8](unsafeUninitializedCapacity: 131_072) { chunk, filled in
                count = read(reading.number, chunk.baseAddress, chunk.count)
                filled = max(0, count)
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            if count <= 0 { return }
            var used = 0
            while let frame = ByteReader(buffer[used...]).uint32(at: 0) {
                if frame == 0 {
                    answers.append(current)
                    current = []
                    used += 4
                } else if frame == .max {
                    guard let number = ByteReader(buffer[used...]).int32(at: 4) else { break }
                    throw Failure(errno: number, family.attempt, on: BytePath(family.words))
                } else {
                    let end = used + 4 + Int(frame)
                    guard end <= buffer.count else { break }
                    current.append(Array(buffer[used + 4..<end]))
                    used = end
                }
            }
            buffer.removeFirst(used)
        }
    }
}
