internal import Base
internal import Glibc
internal import Kernel

/// The last rung, without the right to freeze: SIGSTOP until two scans agree. A stopped process can be continued by
/// anybody with its uid, so the word is never better than partial.
extension FreezeRun {
    mutating func stopBySignals(because failure: Failure) throws(Failure) -> FreezeResult {
        result.bySignals = true
        result.failures.append(failure)
        result.notes.append("stopped by signals only: anybody with the same user id can continue it")
        let deadline = Deadline(after: .milliseconds(policy.huntMilliseconds))
        var before: [ProcessPin]?
        var stopped: [ProcessPin] = []
        repeat {
            let family = try scanForSignals()
            let now = (family.members.map(\.pin) + family.strays.map(\.process.pin)).sorted { $0.pid < $1.pid }
            guard !now.isEmpty else { throw failure }
            let running = now.filter { unheld[$0] == nil && !isStopped($0) }
            if running.isEmpty, now == before {
                result.scansAgreed = true
                stopped = now.filter { unheld[$0] == nil }
                break
            }
            before = now
            try stop(running)
        } while !deadline.hasPassed
        result.members = stopped
        result.processes = stopped.count
        result.threads = stopped.reduce(0) { $0 + Int(lastScan.find($1)?.threads ?? 0) }
        result.strays = unheld.map { pin, reason in
            Stray(
                process: pin,
                name: scans.stat(of: pin)?.name ?? BytePath(""),
                marks: [.lineage],
                isHeld: false,
                reason: reason
            )
        }
        result.times.proven = result.scansAgreed ? Instant.now() : nil
        result.word = stopped.isEmpty ? .failed : .partial
        lookAround()
        return result
    }

    private mutating func scanForSignals() throws(Failure) -> Family {
        var paths = ScanPaths()
        paths.held = subject.pin.cgroups
        paths.session = sessionLines
        lastScan = try scans.scan(paths, after: nil)
        result.scans += 1
        let family = Family(lastScan, knowledge)
        lastFamily = family
        return family
    }

    func isStopped(_ pin: ProcessPin) -> Bool {
        guard let state = scans.stat(of: pin)?.numbers.state else { return true }
        return state == UInt8(ascii: "T") || state == UInt8(ascii: "t")
    }

    private mutating func stop(_ running: [ProcessPin]) throws(Failure) {
        guard !running.isEmpty else { return }
        let host = self.host
        let missed = try performEach(running.map { ($0, .signal(process: $0, number: SIGSTOP)) }) {
            pin throws(Failure) in
            try PidFD(pin, on: host).send(SIGSTOP)
        }
        for (pin, failure) in missed where failure.code == .notPermitted { unheld[pin] = failure.reason }
    }
}
