internal import Base

/// Which processes stand in a sandbox that keeps no state, by the topmost launcher at or above each. Pure.
struct SandboxHeads {
    private let processes: [Int32: OverviewProcess]
    private let launchers: [Int32: SessionRuntime.Kind]

    init(_ processes: [Int32: OverviewProcess]) {
        self.processes = processes
        launchers = processes.compactMapValues { process in
            // What it executes counts; where that may not be read, its name, which it chose itself.
            SandboxLauncher.kind(named: process.executable?.lastComponent ?? process.name)
        }
    }

    /// What a launcher runs; `nil` for a process that is none.
    func kind(of pid: Int32) -> SessionRuntime.Kind? { launchers[pid] }

    /// The topmost launcher at or above a process.
    func head(of pid: Int32) -> Int32? { line(above: pid).last { launchers[$0] != nil } }

    /// Whether the first process is the second or stands above it.
    func stands(_ upper: Int32, atOrAbove lower: Int32) -> Bool { line(above: lower).contains(upper) }

    /// The process and those above it, itself first.
    private func line(above pid: Int32) -> [Int32] {
        var found: [Int32] = []
        var next = pid
        // Read at different moments, parents may seem to go in a circle.
        while found.count < 1024, let process = processes[next] {
            found.append(next)
            next = process.parent
        }
        return found
    }
}
