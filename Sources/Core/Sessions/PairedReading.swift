import Base
import Kernel
import Synchronization

/// Reads something of many processes on two threads at once, because a freeze waits for it. Few are read on the calling
/// thread alone: another one costs more than they do (docs/benchmarks.md).
struct PairedReading {
    let host: Host

    /// From how many processes on there are two threads.
    static let worthwhile = 512

    /// What `body` gives for each process, in no order.
    func read<Value: Sendable>(
        _ pids: [Int32],
        _ body: @escaping @Sendable (borrowing ProcessScanner, Int32) -> Value?
    ) -> [Value] {
        guard pids.count >= PairedReading.worthwhile else { return PairedReading.values(of: pids[...], host, body) }
        let half = Half<Value>()
        let middle = pids.count / 2
        do throws(Failure) {
            let thread = try OwnedThread { [host] in
                OwnedThread.raisePriority()
                half.values.withLock { $0 = PairedReading.values(of: pids[..<middle], host, body) }
            }
            let rest = PairedReading.values(of: pids[middle...], host, body)
            thread.join()
            return half.values.withLock { $0 } + rest
        } catch {
            // The host allows no more threads: it takes longer, and nothing is missing.
            return PairedReading.values(of: pids[...], host, body)
        }
    }

    private static func values<Value>(
        of pids: ArraySlice<Int32>,
        _ host: Host,
        _ body: (borrowing ProcessScanner, Int32) -> Value?
    ) -> [Value] {
        let scanner = ProcessScanner(host)
        return pids.compactMap { body(scanner, $0) }
    }
}

/// What the second thread found.
private final class Half<Value: Sendable>: Sendable {
    let values = Mutex<[Value]>([])
}
