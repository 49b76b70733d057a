public import Base

/// How a person names a session, DESIGN section 2. Parsing asks the machine nothing; ``SessionResolver`` does.
public enum Locator: Hashable, Sendable {
    /// `cgroup:/agents/a7`: the path below the root of the hierarchy.
    case cgroup(BytePath)
    /// `pid:4711`, or a bare number.
    case pid(Int32)
    /// `agent:NAME`, as the inventory declares it.
    case agent(String)
    /// `podman:NAME`, `podman:ID`, `podman:USER/NAME`: a container by what podman and its runtime left on disk.
    case podman(ContainerName)
    /// `docker:NAME`, `docker:ID`: a container by what docker and its runtime left on disk.
    case docker(ContainerName)
    /// `runc:ID`, `runc:USER/ID`, `crun:ID`: a container by the state that the runtime itself left.
    case oci(OCIContainer)
    /// `lxc:NAME`: a container of lxc by the name of its cgroup.
    case lxc(ContainerName)
    /// `nspawn:NAME`: a container of systemd-nspawn by its machine name.
    case nspawn(ContainerName)
    /// `runsc:ID`: a gVisor sandbox by the state that runsc left on disk.
    case runsc(ContainerName)
    /// `qmp:/PATH`: the QEMU that listens on that unix socket with its monitor.
    case qmp(BytePath)
    /// `unit:NAME.service`, `unit:USER/NAME.service`: a service or scope of systemd's by its cgroup.
    case unit(UnitName)
    /// `path:/DIR`: what a session left in a directory. Nothing runs there: it can be captured and nothing else.
    case path(BytePath)
    /// A bare name, still to be looked up.
    case name(BytePath)

    /// The forms that work today, for help and hints.
    public static let forms =
        "cgroup:/PATH, pid:N, agent:NAME, podman:NAME, podman:USER/NAME, docker:NAME, runc:ID, runc:USER/ID, crun:ID, "
        + "lxc:NAME, nspawn:NAME, runsc:ID, qmp:/PATH, unit:NAME.service, unit:USER/NAME.service, a pid, or the name of "
        + "an agent, a cgroup or a container"

    /// Prefixes of the design that no issue has built yet.
    private static let notBuilt = ["firecracker"]

    /// Reads an argument. What is not of a known form is ``Base/Failure/Code/usage``; a name with a colon behind a word
    /// that is no prefix of the design is a bare name, because cgroups have such names.
    public init(parsing argument: BytePath) throws(Failure) {
        let parts = argument.bytes.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        let prefix = parts.count == 2 ? String(decoding: parts[0], as: UTF8.self) : nil
        let rest = BytePath(parts.last ?? [])
        switch prefix {
        case "cgroup": self = try Locator.cgroup(parsing: rest, of: argument)
        case "pid": self = try Locator.pid(parsing: rest, of: argument)
        case "agent": self = try Locator.agent(parsing: rest, of: argument)
        case "podman": self = try Locator.podman(parsing: rest, of: argument)
        case "runc": self = try Locator.oci(.runc, parsing: rest, of: argument)
        case "crun": self = try Locator.oci(.crun, parsing: rest, of: argument)
        case "docker": self = .docker(try Locator.rootName(rest, of: argument, "the name of a container of docker"))
        case "lxc": self = .lxc(try Locator.rootName(rest, of: argument, "the name of a container of lxc"))
        case "nspawn": self = .nspawn(try Locator.rootName(rest, of: argument, "the name of a machine"))
        case "qmp": self = try Locator.qmp(parsing: rest, of: argument)
        case "unit": self = try Locator.unit(parsing: rest, of: argument)
        case "path": self = try Locator.folder(parsing: rest, of: argument)
        case "runsc": self = .runsc(try Locator.rootName(rest, of: argument, "the id of a container"))
        case .some(let prefix) where Locator.notBuilt.contains(prefix):
            throw Locator.usage(argument, "\(prefix): is not built yet")
        default: self = try Locator.bare(argument)
        }
    }

    /// Reads an argument that is text.
    public init(parsing argument: String) throws(Failure) { try self.init(parsing: BytePath(argument)) }

    /// The locator as it is typed, in bytes.
    public var argument: BytePath {
        switch self {
        case .cgroup(let path): BytePath(Array("cgroup:".utf8) + path.bytes)
        case .pid(let pid): BytePath("pid:\(pid)")
        case .agent(let name): BytePath("agent:\(name)")
        case .podman(let name): BytePath("podman:\(name.argument)")
        case .oci(let container): BytePath("\(container.runtime.rawValue):\(container.argument)")
        case .docker(let name): BytePath("docker:\(name.argument)")
        case .nspawn(let name): BytePath("nspawn:\(name.argument)")
        case .lxc(let name): BytePath("lxc:\(name.argument)")
        case .runsc(let name): BytePath("runsc:\(name.argument)")
        case .qmp(let path): BytePath(Array("qmp:".utf8) + path.bytes)
        case .unit(let name): BytePath("unit:\(name.argument)")
        case .path(let path): BytePath(Array("path:".utf8) + path.bytes)
        case .name(let name): name
        }
    }

    private static func folder(parsing path: BytePath, of argument: BytePath) throws(Failure) -> Locator {
        let isPlain = !path.components.contains { $0 == BytePath("..") || $0 == BytePath(".") }
        guard path.isAbsolute, isPlain, !path.components.isEmpty, !path.bytes.contains(0) else {
            throw usage(argument, "the path of a directory begins with a slash and has no . and no ..")
        }
        return .path(path.components.reduce(BytePath("/")) { $0.appending($1) })
    }

    private static func podman(parsing name: BytePath, of argument: BytePath) throws(Failure) -> Locator {
        guard let name = ContainerName(parsing: name) else {
            throw usage(
                argument,
                "the name of a container has only letters, digits, _, . and -; USER/ may stand in front"
            )
        }
        return .podman(name)
    }

    private static func oci(
        _ runtime: OCIContainer.Runtime,
        parsing id: BytePath,
        of argument: BytePath
    ) throws(Failure) -> Locator {
        guard let container = OCIContainer(parsing: id, of: runtime) else {
            throw usage(
                argument,
                "an id of \(runtime.rawValue) has only letters, digits, _, +, comma, . and -; USER/ may stand in front"
            )
        }
        return .oci(container)
    }

    /// A name where all are root's.
    private static func rootName(
        _ name: BytePath,
        of argument: BytePath,
        _ what: String
    ) throws(Failure) -> ContainerName {
        guard let name = ContainerName(parsing: name), name.user == nil else {
            throw usage(argument, "\(what) has only letters, digits, _, . and -")
        }
        return name
    }

    private static func qmp(parsing path: BytePath, of argument: BytePath) throws(Failure) -> Locator {
        guard path.isAbsolute, path.bytes.count < 108, !path.bytes.contains(0) else {
            throw usage(argument, "the path of a monitor's socket begins with a slash and has at most 107 bytes")
        }
        return .qmp(path)
    }

    private static func unit(parsing name: BytePath, of argument: BytePath) throws(Failure) -> Locator {
        guard let name = UnitName(parsing: name) else {
            throw usage(
                argument,
                "a unit is NAME.service or NAME.scope in systemd's letters; USER/ may stand in front"
            )
        }
        return .unit(name)
    }

    private static func cgroup(parsing path: BytePath, of argument: BytePath) throws(Failure) -> Locator {
        guard path.isAbsolute else {
            throw usage(argument, "the path of a cgroup begins with a slash at the root of the hierarchy")
        }
        guard !path.components.contains(where: { $0 == BytePath("..") || $0 == BytePath(".") }) else {
            throw usage(argument, "the path of a cgroup has no . and no ..")
        }
        var bytes: [UInt8] = []
        for component in path.components { bytes += [UInt8(ascii: "/")] + component.bytes }
        return .cgroup(bytes.isEmpty ? BytePath("/") : BytePath(bytes))
    }

    private static func pid(parsing digits: BytePath, of argument: BytePath) throws(Failure) -> Locator {
        guard let pid = number(digits) else { throw usage(argument, "a pid is a whole number from 1") }
        return .pid(pid)
    }

    private static func agent(parsing name: BytePath, of argument: BytePath) throws(Failure) -> Locator {
        guard let text = name.text, AgentName.isValid(text) else {
            throw usage(argument, "the name of an agent has only a-z, 0-9 and -")
        }
        return .agent(text)
    }

    private static func bare(_ argument: BytePath) throws(Failure) -> Locator {
        guard !argument.isEmpty else { throw usage(argument, "it is empty") }
        if argument.bytes.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return try pid(parsing: argument, of: argument)
        }
        if argument.isAbsolute {
            throw usage(argument, "a path names no session; write cgroup: in front if it is a cgroup's")
        }
        return .name(argument)
    }

    private static func number(_ digits: BytePath) -> Int32? {
        guard let text = digits.text, let first = text.utf8.first,
            (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(first)
        else { return nil }
        return Int32(text)
    }

    private static func usage(_ argument: BytePath, _ reason: String) -> Failure {
        let text = String(decoding: argument.bytes, as: UTF8.self)
        return Failure(.usage, "read the locator", on: text, because: reason, hint: "these work today: \(forms)")
    }
}

extension Locator: CustomStringConvertible {
    /// The locator made safe for a terminal.
    public var description: String { argument.description }
}

extension Locator: Codable {
    /// Reads the form that is typed.
    public init(from decoder: any Decoder) throws {
        try self.init(parsing: try BytePath(from: decoder))
    }

    /// Writes the form that is typed.
    public func encode(to encoder: any Encoder) throws { try argument.encode(to: encoder) }
}

/// Names that Quell may print in a command: letters a to z, digits and dashes, no dash in front, at most 64 (RT14).
public enum AgentName {
    /// Whether a name is of that form.
    public static func isValid(_ name: String) -> Bool {
        guard (1...64).contains(name.utf8.count), name.utf8.first != UInt8(ascii: "-") else { return false }
        return name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-")
        }
    }
}
