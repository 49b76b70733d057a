internal import Base
internal import Glibc
internal import Synchronization

/// Reads something of many processes on several threads at once, because a freeze and its proof wait for it. Few are read
/// on the calling thread alone: another one costs more than they do (docs/benchmarks.md).
public struct ProcessReaders: Sendable {
    /// From how many processes on there are two readers.
    public static let worthwhile = 512

    private let host: Host

    /// Reads on this machine.
    public init(_ host: Host) { self.host = host }

    /// What `body` gives for each process, in the order of `pids`; `nil` leaves one out. There are as many readers as
    /// processors, at most four.
    ///
    /// - Throws: what `body` throws, when all readers have ended.
    public func read<Value: Sendable, Problem: Error>(
        _ pids: [Int32],
        _ body: @escaping @Sendable (borrowing ProcessScanner, Int32) throws(Problem) -> Value?
    ) throws(Problem) -> [Value] {
        try read(pids[...], readers: min(4, sysconf(Int32(_SC_NPROCESSORS_ONLN))), body)
    }

    private func read<Value: Sendable, Problem: Error>(
        _ pids: ArraySlice<Int32>,
        readers: Int,
        _ body: @escaping @Sendable (borrowing ProcessScanner, Int32) throws(Problem) -> Value?
    ) throws(Problem) -> [Value] {
        guard readers > 1, pids.count >= ProcessReaders.worthwhile else { return try read(pids, body) }
        let half = Half<Value, Problem>()
        let middle = pids.startIndex + pids.count / 2
        let thread: OwnedThread
        do throws(Failure) {
            thread = try OwnedThread { [self] in
                OwnedThread.raisePriority()
                half.fill { () throws(Problem) in try read(pids[..<middle], readers: readers / 2, body) }
            }
        } catch {
            // The host allows no more threads: it takes longer, and nothing is missing.
            return try read(pids, body)
        }
        let rest = half.result { () throws(Problem) in try read(pids[middle...], readers: readers / 2, body) }
        thread.join()
        return try half.values() + rest.get()
    }

    private func read<Value, Problem: Error>(
        _ pids: ArraySlice<Int32>,
        _ body: (borrowing ProcessScanner, Int32) throws(Problem) -> Value?
    ) throws(Problem) -> [Value] {
        let scanner = ProcessScanner(host)
        var found: [Value] = []
        found.reserveCapacity(pids.count)
        for pid in pids {
            if let value = try body(scanner, pid) { found.append(value) }
        }
        return found
    }
}

/// What another reader found.
private final class Half<Value: Sendable, Problem: Error>: Sendable {
    private let found = Mutex<Result<[Value], Problem>>(.success([]))

    func fill(_ read: () throws(Problem) -> [Value]) {
        let result = self.result(read)
        found.withLock { $0 = result }
    }

    func result(_ read: () throws(Problem) -> [Value]) -> Result<[Value], Problem> {
        do throws(Problem) { return .success(try read()) } catch { return .failure(error) }
    }

    func values() throws(Problem) -> [Value] { try found.withLock { $0 }.get() }
}
