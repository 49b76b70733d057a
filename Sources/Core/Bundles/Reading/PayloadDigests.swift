import Base
import Synchronization

/// Reads every payload file whole and compares its digest with the manifest's, two files at a time: hashing costs more than
/// reading, and the machine of a responder has a second processor.
struct PayloadDigests {
    let payload: [PayloadRecord]
    let store: MemberStore
    /// What the writer knows of them; `nil`: their digests are taken anew.
    var sums: WrittenSums?

    /// - Throws: the problem of the first file, in the order of the manifest, that has one, whichever reader found it.
    func check() throws(Problem) {
        let queue = PayloadQueue(payload)
        let second: OwnedThread
        do throws(Failure) {
            second = try OwnedThread { [self] in work(on: queue) }
        } catch {
            // The host allows no more threads: it takes longer, and nothing is missing.
            work(on: queue)
            return try queue.throwFirst()
        }
        work(on: queue)
        second.join()
        try queue.throwFirst()
    }

    private func work(on queue: PayloadQueue) {
        while let (index, record) = queue.next() {
            do throws(Problem) {
                try PayloadCheck.compare(record, in: store, with: sums)
            } catch {
                queue.end(index, with: error)
            }
        }
    }
}

/// Which file is read next, and the first one that was wrong.
private final class PayloadQueue: Sendable {
    private struct State: Sendable {
        var next = 0
        var first: (index: Int, problem: Problem)?
    }

    private let payload: [PayloadRecord]
    private let state = Mutex(State())

    init(_ payload: [PayloadRecord]) { self.payload = payload }

    /// The next file; `nil` at the end, and once a file was wrong: those behind it need not be read.
    func next() -> (Int, PayloadRecord)? {
        state.withLock { state in
            guard state.first == nil, state.next < payload.count else { return nil }
            defer { state.next += 1 }
            return (state.next, payload[state.next])
        }
    }

    func end(_ index: Int, with problem: Problem) {
        state.withLock { state in
            if index < state.first?.index ?? .max { state.first = (index, problem) }
        }
    }

    func throwFirst() throws(Problem) {
        if let first = state.withLock({ $0.first }) { throw first.problem }
    }
}
