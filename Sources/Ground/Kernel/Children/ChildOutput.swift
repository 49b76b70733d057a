public import Base
internal import Glibc

/// What a short-lived helper wrote, and how it ended.
public struct ChildOutput: Hashable, Sendable {
    /// Its standard output, up to the limit.
    public let bytes: [UInt8]
    /// Whether it wrote more than the limit; it was killed then.
    public let wasCut: Bool
    /// How it ended. A status other than 0 is not an error.
    public let end: ChildEnd
}

extension ChildProcess {
    /// Runs a program to its end with standard input and error on /dev/null and gives what it wrote.
    ///
    /// - Throws: As ``start(_:_:descriptors:)``, `system` when the pipe fails. Overrunning the deadline is no error here:
    ///   see ``ChildOutput/end``.
    public static func run(
        _ program: Program,
        _ arguments: [BytePath] = [],
        limit: Int = 1 << 20,
        by deadline: Deadline
    ) throws(Failure) -> ChildOutput {
        try run(limit: limit, by: deadline) { (output: Int32) throws(Failure) -> ChildProcess in
            try start(program, arguments, descriptors: [ChildDescriptor(output, as: 1)])
        }
    }

    /// The same in another network namespace, with `input` on its standard input and its standard error among what it
    /// wrote. The input must fit into a pipe: at most 60,000 bytes.
    public static func run(
        _ program: Program,
        _ arguments: [BytePath],
        input: [UInt8],
        inNetworkNamespace namespace: Int32,
        seeingCgroups: Bool = false,
        limit: Int = 1 << 20,
        by deadline: Deadline
    ) throws(Failure) -> ChildOutput {
        let feed = try makePipe()
        let reading = Descriptor(adopting: feed.reading)
        let writing = Descriptor(adopting: feed.writing)
        guard input.count <= 60_000 else {
            throw Failure(.refused, "start", on: "a child", because: "its input has more than 60000 bytes")
        }
        try input.withUnsafeBufferPointer { bytes throws(Failure) in
            try writing.write(UnsafeRawBufferPointer(bytes), to: BytePath("a child's input"))
        }
        try writing.close(of: BytePath("a child's input"))
        return try run(limit: limit, by: deadline) { (output: Int32) throws(Failure) -> ChildProcess in
            try start(
                program,
                arguments,
                descriptors: [
                    ChildDescriptor(reading.number, as: 0), ChildDescriptor(output, as: 1),
                    ChildDescriptor(output, as: 2),
                ],
                inNetworkNamespace: namespace,
                seeingCgroups: seeingCgroups
            )
        }
    }

    private static func makePipe() throws(Failure) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Failure(errno: errno, "make a pipe", on: BytePath("pipe")) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func run(
        limit: Int,
        by deadline: Deadline,
        starting: (Int32) throws(Failure) -> ChildProcess
    ) throws(Failure) -> ChildOutput {
        let ends = try makePipe()
        let reading = Descriptor(adopting: ends.reading)
        let writing = Descriptor(adopting: ends.writing)
        let child = try starting(writing.number)
        try writing.close(of: BytePath("a child's output"))
        var bytes: [UInt8] = []
        var wasCut = false
        while reading.wait(for: POLLIN, until: deadline) {
            let chunk = try readChunk(reading.number)
            if chunk.isEmpty { break }
            let room = limit - bytes.count
            bytes += chunk.prefix(room)
            if chunk.count > room {
                wasCut = true
                break
            }
        }
        return ChildOutput(
            bytes: bytes,
            wasCut: wasCut,
            end: try child.finish(by: wasCut ? Deadline(after: .zero) : deadline)
        )
    }

    private static func readChunk(_ number: Int32) throws(Failure) -> [UInt8] {
        while true {
            var count = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, filled in
                count = read(number, buffer.baseAddress, buffer.count)
                filled = max(0, count)
            }
            if count >= 0 { return chunk }
            guard errno == EINTR else { throw Failure(errno: errno, "read", on: BytePath("a child's output")) }
        }
    }
}
