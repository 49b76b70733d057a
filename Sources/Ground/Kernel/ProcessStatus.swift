/// What /proc/PID/status says. Source: proc_pid_status(5).
public struct ProcessStatus: Hashable, Sendable {
    /// Real, effective, saved and filesystem user id.
    public let uids: [UInt32]
    /// Real, effective, saved and filesystem group id.
    public let gids: [UInt32]
    /// The pid in each pid namespace, outermost first; one number for a process of the reader's own namespace.
    public let namespacePids: [Int32]
    /// Who traces it, 0 for nobody.
    public let tracer: Int32
    /// Effective capabilities as a bit mask, with respect to its own user namespace.
    public let effectiveCapabilities: UInt64
    /// What it or a program it executes can ever have, as a bit mask.
    public let boundingCapabilities: UInt64
    /// Whether no_new_privs is set.
    public let noNewPrivileges: Bool
    /// 0 no seccomp, 1 strict, 2 filter.
    public let seccomp: Int32
    /// Memory that is in RAM, in bytes; pages that are shared count in each process. 0 when it has none any more.
    public let residentBytes: UInt64

    /// Parses a status file. A key that is missing gives an empty list or zero; that is not an error, since kernels differ.
    public init(parsing bytes: some Collection<UInt8>) {
        var uids: [UInt32] = []
        var gids: [UInt32] = []
        var pids: [Int32] = []
        var tracer: Int32 = 0
        var capabilities: UInt64 = 0
        var bounding: UInt64 = 0
        var isConfined = false
        var seccomp: Int32 = 0
        var resident: UInt64 = 0
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let words = line[line.index(after: colon)...].split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
            switch String(decoding: line[..<colon], as: UTF8.self) {
            case "Uid": uids = words.compactMap { Decimal.uint64($0).flatMap(UInt32.init(exactly:)) }
            case "Gid": gids = words.compactMap { Decimal.uint64($0).flatMap(UInt32.init(exactly:)) }
            case "NSpid": pids = words.compactMap { Decimal.int32($0) }
            case "TracerPid": tracer = words.first.flatMap { Decimal.int32($0) } ?? 0
            case "CapEff":
                capabilities = words.first.flatMap { UInt64(String(decoding: $0, as: UTF8.self), radix: 16) } ?? 0
            case "CapBnd":
                bounding = words.first.flatMap { UInt64(String(decoding: $0, as: UTF8.self), radix: 16) } ?? 0
            case "NoNewPrivs": isConfined = words.first?.elementsEqual("1".utf8) ?? false
            case "Seccomp": seccomp = words.first.flatMap { Decimal.int32($0) } ?? 0
            case "VmRSS": resident = (words.first.flatMap { Decimal.uint64($0) } ?? 0) &* 1024
            default: continue
            }
        }
        self.uids = uids
        self.gids = gids
        namespacePids = pids
        self.tracer = tracer
        effectiveCapabilities = capabilities
        boundingCapabilities = bounding
        noNewPrivileges = isConfined
        self.seccomp = seccomp
        residentBytes = resident
    }
}
