public import Base
import Documents
public import Kernel

/// Finds gVisor sandboxes in the state files of runsc, which only root may have written, and believes these only as far as
/// the kernel says the same: a process of runsc's name that began when the file says, in the cgroup that it names (RT8).
/// Connects to nothing, starts nothing, reads nothing of the session (RT7, RT13).
public struct GVisorLookup {
    private let host: Host
    private let root: BytePath

    /// Where runsc keeps its states by itself, under docker and under containerd.
    private static let folders = [
        "run/runsc", "run/docker/runtime-runsc/moby", "run/docker/runtime-runc/moby", "run/containerd/runsc/k8s.io",
        "run/containerd/runsc/moby", "run/containerd/runsc/default",
    ]
    /// The names of its processes: they are made of /proc/self/exe, and older versions keep that name.
    private static let names = [
        BytePath("exe"), BytePath("runsc"), BytePath("runsc-sandbox"), BytePath("runsc-gofer"),
    ]
    /// How long after `createdAt` the processes of a container begin at the latest, also on a machine that is very busy.
    private static let patience = Duration.seconds(120)
    private static let reading = "read the states of runsc"

    /// Looks below `root`, which is `/` but for tests.
    public init(on host: Host, root: BytePath = BytePath("/")) {
        self.host = host
        self.root = root
    }

    /// The sandbox of the one container with that id, or of which that is the beginning.
    ///
    /// - Throws: `notFound` when there is none or it does not run, `ambiguous` when several ids begin so, `refused` when
    ///   its state says what the kernel does not, `malformed` when it has an unknown form.
    func find(_ name: ContainerName, for verb: String) throws(Failure) -> GVisorSandbox {
        let files = stateFiles()
        // Whoever starts a container gives it its id, the beginning of another one's as well.
        let takesBeginning = name.isIDPrefix && !ContainerStore.isID(name.name)
        let matches = files.filter {
            $0.id.utf8.elementsEqual(name.name.utf8) || takesBeginning && $0.id.hasPrefix(name.name)
        }
        guard let match = matches.first else {
            throw Failure(
                .notFound,
                "find the sandbox",
                on: name.argument,
                because: "runsc has no container of that id in its usual folders",
                hint: "name it by the pid of one of its processes: quell sessions"
            )
        }
        guard matches.count == 1 else {
            throw Failure(
                .ambiguous,
                "find the sandbox",
                on: name.argument,
                because: "\(matches.count) containers of runsc have that id, or ids that begin so",
                hint: matches.map { command($0, verb, among: matches) }.joined(separator: "\n")
            )
        }
        guard let state = try read(match) else {
            throw Failure(
                .notFound,
                "find the sandbox",
                on: name.argument,
                because: "it does not run, only its state is left",
                hint: "quell"
            )
        }
        return whole(state, sentry: try confirm(state.sentry, of: state), among: states(files))
    }

    /// A command that means this one alone: its id, or the pid of its sentry where others' ids begin with it.
    private func command(_ file: StateFile, _ verb: String, among all: [StateFile]) -> String {
        guard all.filter({ $0.id.hasPrefix(file.id) }).count > 1, let state = states([file]).first else {
            return "quell \(verb) runsc:\(file.id)"
        }
        return "quell \(verb) pid:\(state.sentry)"
    }

    /// The container with exactly that id, when runsc has a state for it.
    func container(_ id: String) -> FoundContainer? {
        guard stateFiles().contains(where: { $0.id.utf8.elementsEqual(id.utf8) }) else { return nil }
        return ContainerName(parsing: BytePath(id)).map { .sandbox($0) }
    }

    /// The sandbox that a process belongs to: its sentry, a stub of it or a gofer. `nil` for any other process, after one
    /// look at its name.
    public func sandbox(holding pid: Int32) -> GVisorSandbox? {
        sandbox(holding: pid) { states(stateFiles()) }
    }

    private func sandbox(holding pid: Int32, knowing known: () -> [GVisorState]) -> GVisorSandbox? {
        let scanner = ProcessScanner(host)
        var chain: [ProcessPin] = []
        var current = pid
        while chain.count < 64, let stat = scanner.namedStat(of: current), GVisorLookup.names.contains(stat.name) {
            chain.append(stat.pin)
            current = stat.numbers.parent
        }
        guard let top = chain.last else { return nil }
        let pids = Set(chain.map(\.pid))
        let states = known()
        for state in states where pids.contains(state.sentry) || state.gofer.map(pids.contains) ?? false {
            do throws(Failure) {
                return whole(state, sentry: try confirm(state.sentry, of: state), among: states)
            } catch { continue }
        }
        return withoutState(top, scanner)
    }

    /// The sandboxes that have their processes among these, each once.
    func sandboxes(among processes: [OverviewProcess]) -> [GVisorSandbox] {
        let named = Set(processes.filter { GVisorLookup.names.contains($0.name) }.map(\.pin.pid))
        guard !named.isEmpty else { return [] }
        let known = states(stateFiles())
        var found: [ProcessPin: GVisorSandbox] = [:]
        for process in processes where named.contains(process.pin.pid) && !named.contains(process.parent) {
            guard let sandbox = sandbox(holding: process.pin.pid, knowing: { known }) else { continue }
            found[sandbox.sentry] = sandbox
        }
        return found.values.sorted { $0.sentry.pid < $1.sentry.pid }
    }

    // MARK: State files

    private struct StateFile {
        let id: String
        let path: BytePath
        let folder: BytePath
    }

    /// `ID_sandbox:SANDBOX.state`. A folder that is not there, or in which others could write, has none.
    private func stateFiles() -> [StateFile] {
        var found: [StateFile] = []
        for folder in GVisorLookup.folders.map({ root.appending($0) }) {
            do throws(Failure) {
                for name in try TrustedFile.names(in: folder, to: GVisorLookup.reading) {
                    guard let text = name.text, text.hasSuffix(".state"), let end = text.firstRange(of: "_sandbox:")
                    else {
                        continue
                    }
                    let id = String(text[..<end.lowerBound])
                    guard ContainerName(parsing: BytePath(id)) != nil, !id.contains("/") else { continue }
                    found.append(StateFile(id: id, path: folder.appending(text), folder: folder))
                }
            } catch { continue }
        }
        return found
    }

    private func read(_ file: StateFile) throws(Failure) -> GVisorState? {
        let bytes = try TrustedFile.read(file.path, limit: 4 << 20, to: GVisorLookup.reading)
        let state = try GVisorState.parse(bytes, at: file.path, in: file.folder)
        guard state?.id ?? file.id == file.id else {
            throw ContainerStore.unknownForm(file.path, "it names another container")
        }
        return state
    }

    /// Those that can be read: one that cannot tells nothing about the others.
    private func states(_ files: [StateFile]) -> [GVisorState] {
        files.compactMap { file in
            do throws(Failure) { return try read(file) } catch { return nil }
        }
    }

    // MARK: The kernel's word

    /// All containers of the sandbox and their gofers.
    private func whole(_ state: GVisorState, sentry: ProcessPin, among states: [GVisorState]) -> GVisorSandbox {
        let mates = states.filter { $0.sentry == state.sentry && $0.folder == state.folder }
        var gofers: [ProcessPin] = []
        for mate in mates {
            guard let gofer = mate.gofer else { continue }
            do throws(Failure) { gofers.append(try confirm(gofer, of: mate)) } catch { continue }
        }
        return GVisorSandbox(
            containers: mates.map(\.id).sorted(),
            states: state.folder,
            sentry: sentry,
            gofers: gofers.sorted { $0.pid < $1.pid }
        )
    }

    private func confirm(_ pid: Int32, of state: GVisorState) throws(Failure) -> ProcessPin {
        let scanner = ProcessScanner(host)
        guard let stat = scanner.namedStat(of: pid), !stat.numbers.isZombie else {
            throw Failure(
                .notFound,
                "find the sandbox",
                on: state.id,
                because: "process \(pid) of its state has ended",
                hint: "quell"
            )
        }
        guard GVisorLookup.names.contains(stat.name) else {
            throw refused(state, "its state names process \(pid), which is \(stat.name) and not of runsc")
        }
        let started = host.started(atTicks: stat.pin.startTicks)
        let earliest = state.created.advanced(by: .seconds(-2))
        guard started.latest >= earliest, started.earliest <= state.created.advanced(by: GVisorLookup.patience) else {
            throw refused(state, "its state names process \(pid), which did not begin when it was made")
        }
        guard let named = state.cgroup else { return stat.pin }
        let lines = scanner.cgroups(of: pid) ?? []
        guard lines.contains(where: { $0.path.isAtOrBelow(named) || GVisorLookup.isOwn($0.path) }) else {
            throw refused(state, "its state names process \(pid), which the kernel has in no cgroup of that container")
        }
        return stat.pin
    }

    /// A group at the root that Quell made, in which a freeze holds it.
    private static func isOwn(_ path: BytePath) -> Bool {
        path.components.first?.text?.hasPrefix("quell-") ?? false
    }

    /// How many processes around one are looked at: those of a sandbox are started right after one another, and a freeze
    /// waits for it.
    private static let most = 64

    /// What the kernel alone tells of a sandbox whose `--root` is nowhere usual: a second process that runs the same
    /// runsc in the same cgroup, when there is exactly one. Only where a freeze holds them they are looked for. A name in
    /// a link is a hint as well, and it can only join two processes that both say that they are runsc's.
    private func withoutState(_ top: ProcessPin, _ scanner: borrowing ProcessScanner) -> GVisorSandbox? {
        guard let program = program(of: top) else { return nil }
        var tops: Set<ProcessPin> = [top]
        var parents: Set<Int32> = []
        for line in scanner.cgroups(of: top.pid) ?? [] where line.path != BytePath("/") {
            let holding = [host.unified, host.freezer].compactMap { $0 }
            guard let hierarchy = holding.first(where: { $0.name == line.hierarchy }) else { continue }
            var pids: [Int32]
            do throws(Failure) { pids = try Cgroup(line.path, in: hierarchy).processes() } catch { continue }
            pids.sort { abs($0 - top.pid) < abs($1 - top.pid) }
            for pid in pids.prefix(GVisorLookup.most) {
                guard let stat = scanner.namedStat(of: pid), GVisorLookup.names.contains(stat.name),
                    program == self.program(of: stat.pin)
                else { continue }
                parents.insert(stat.numbers.parent)
                let parent = scanner.namedStat(of: stat.numbers.parent)
                if parent.map({ GVisorLookup.names.contains($0.name) }) != true { tops.insert(stat.pin) }
            }
        }
        let sentries = tops.filter { parents.contains($0.pid) }
        guard tops.count <= 2, let sentry = sentries.first ?? tops.max(by: { $0.startTicks < $1.startTicks }) else {
            return GVisorSandbox(containers: [], states: nil, sentry: top, gofers: [])
        }
        return GVisorSandbox(containers: [], states: nil, sentry: sentry, gofers: tops.filter { $0 != sentry })
    }

    private func program(of pin: ProcessPin) -> BytePath? {
        do throws(Failure) {
            let path = try ProcessDirectory(pin, on: host).executable()
            return path?.lastComponent.text?.hasPrefix("runsc") == true ? path : nil
        } catch {
            return nil
        }
    }

    private func refused(_ state: GVisorState, _ reason: String) -> Failure {
        Failure(.refused, "take the sandbox for a session", on: state.id, because: reason, hint: "quell sessions")
    }
}
