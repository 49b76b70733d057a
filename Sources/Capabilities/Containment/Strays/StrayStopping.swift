internal import Base
internal import Glibc
internal import Kernel

/// Strays that breed. A move waits for the kernel's lock on all cgroups, which every fork and every move of theirs takes
/// too: beside a hundred of them that run it was seconds. A signal waits for nothing. So they are stopped first, moved
/// while they stand still, and continued when the frozen group holds them.
extension FreezeRun {
    /// From how many strays at once it is a storm; or from the second time that there are new ones.
    private static let stormSize = 8

    mutating func stopIfStorming(_ loose: [ProcessPin]) throws(Failure) {
        holds += 1
        guard loose.count >= FreezeRun.stormSize || holds > 1 else { return }
        let running = loose.filter { !isStopped($0) }
        guard !running.isEmpty else { return }
        let host = self.host
        // Who has ended, or refuses, is moved all the same.
        let missed = try performEach(running.map { ($0, .signal(process: $0, number: SIGSTOP)) }) {
            pin throws(Failure) in
            try PidFD(pin, on: host).send(SIGSTOP)
        }
        stopped += running.filter { missed[$0] == nil }
    }

    /// Those that the frozen group holds; whoever got no place in it stays stopped.
    mutating func continueStopped() throws(Failure) {
        guard !stopped.isEmpty else { return }
        guard quarantine?.isFrozen == true else {
            result.notes.append("\(stopped.count) strays stay stopped by a signal: their group does not freeze")
            return
        }
        let frozen = stopped.filter { lastScan.find($0)?.isInside == true }
        let left = stopped.count { lastScan.find($0)?.isInside == false }
        result.notes.append("\(stopped.count) strays were stopped by a signal until they were frozen")
        if left > 0 { result.notes.append("\(left) strays outside stay stopped by a signal") }
        guard !frozen.isEmpty else { return }
        let host = self.host
        _ = try performEach(frozen.map { ($0, .signal(process: $0, number: SIGCONT)) }) { pin throws(Failure) in
            try PidFD(pin, on: host).send(SIGCONT)
        }
    }
}
