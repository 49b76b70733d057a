internal import Base

/// Looks at things that may end while they are looked at: that is no failure, and anything else is kept to be told. One
/// kind of failure is kept once, with how often it came, because a scan may meet it for each process of the machine.
struct Looks {
    private var kept: [(first: Failure, count: Int)] = []

    /// What `look` sees; `nil` when its object has ended, or when the look failed.
    mutating func see<Value>(_ look: () throws(Failure) -> Value) -> Value? {
        do throws(Failure) {
            return try look()
        } catch {
            if error.code != .notFound, error.code != .changed { keep(error) }
            return nil
        }
    }

    private mutating func keep(_ failure: Failure) {
        let same = kept.firstIndex { $0.first.attempt == failure.attempt && $0.first.reason == failure.reason }
        if let same { kept[same].count += 1 } else { kept.append((failure, 1)) }
    }

    /// Whether any look failed.
    var hasFailed: Bool { !kept.isEmpty }

    /// The first failure of each kind.
    var failures: [Failure] { kept.map(\.first) }

    /// A line for each kind of failure.
    var lines: [String] {
        kept.map { $0.count == 1 ? $0.first.description : "\($0.first), and \($0.count - 1) more like it" }
    }
}
