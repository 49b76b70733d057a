import Base
import Kernel

/// What /proc/PID/status says of the rights of a process, by the kernel's own keys. Source: proc_pid_status(5).
struct StatusFacts: Hashable, Sendable {
    /// Real, effective, saved and filesystem ids; empty where the kernel did not tell them.
    private(set) var uids: [UInt32] = []
    private(set) var gids: [UInt32] = []
    /// Supplementary groups.
    private(set) var groups: [UInt32] = []
    /// The capability sets by their names in the file, without `Cap`: `Inh`, `Prm`, `Eff`, `Bnd`, `Amb`.
    private(set) var capabilities: [String: UInt64] = [:]
    private(set) var noNewPrivileges: Bool?
    /// 0 no seccomp, 1 strict, 2 filter.
    private(set) var seccomp: Int64?
    private(set) var seccompFilters: Int64?
    private(set) var umask: String?
    private(set) var tracer: Int64?
    /// The pid in each pid namespace, outermost first.
    private(set) var namespacePids: [UInt32] = []
    private(set) var residentKilobytes: Int64?
    private(set) var virtualKilobytes: Int64?
    /// Such as `0-1`.
    private(set) var affinity: String?

    /// Parses a status file. A key that is missing stays empty, since kernels differ.
    init(parsing bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let words = line[line.index(after: colon)...]
                .split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
                .map { String(decoding: $0, as: UTF8.self) }
            take(String(decoding: line[..<colon], as: UTF8.self), words)
        }
    }

    private mutating func take(_ key: String, _ words: [String]) {
        let number = words.first.flatMap { Int64($0) }
        switch key {
        case "Uid": uids = words.compactMap { UInt32($0) }
        case "Gid": gids = words.compactMap { UInt32($0) }
        case "Groups": groups = words.compactMap { UInt32($0) }
        case "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
            capabilities[String(key.dropFirst(3))] = words.first.flatMap { UInt64($0, radix: 16) }
        case "NoNewPrivs": noNewPrivileges = number.map { $0 != 0 }
        case "Seccomp": seccomp = number
        case "Seccomp_filters": seccompFilters = number
        case "Umask": umask = words.first
        case "TracerPid": tracer = number
        case "NSpid": namespacePids = words.compactMap { UInt32($0) }
        case "VmRSS": residentKilobytes = number
        case "VmSize": virtualKilobytes = number
        case "Cpus_allowed_list": affinity = words.first
        default: return
        }
    }

    /// Adds what there is to a line of data/processes.jsonl.
    func describe(in line: inout JSONObject) {
        line["uids"] = StatusFacts.numbers(uids)
        line["gids"] = StatusFacts.numbers(gids)
        line["groups"] = StatusFacts.numbers(groups)
        var sets = JSONObject()
        for (name, key) in StatusFacts.sets {
            sets[name] = capabilities[key].map { .array(CapabilityNames.of($0).map(JSONValue.string)) }
        }
        if !capabilities.isEmpty { line["capabilities"] = .object(sets) }
        line["noNewPrivileges"] = noNewPrivileges.map(JSONValue.bool)
        line["seccomp"] = seccomp.map { .string(StatusFacts.seccompModes[$0] ?? String($0)) }
        line["seccompFilters"] = seccompFilters.map(JSONValue.integer)
        line["umask"] = umask.map(JSONValue.string)
        line["tracer"] = tracer.flatMap { $0 == 0 ? nil : .integer($0) }
        if namespacePids.count > 1 { line["namespacePids"] = StatusFacts.numbers(namespacePids) }
        line["residentKilobytes"] = residentKilobytes.map(JSONValue.integer)
        line["virtualKilobytes"] = virtualKilobytes.map(JSONValue.integer)
    }

    private static let sets = [
        ("inheritable", "Inh"), ("permitted", "Prm"), ("effective", "Eff"), ("bounding", "Bnd"), ("ambient", "Amb"),
    ]
    private static let seccompModes: [Int64: String] = [0: "none", 1: "strict", 2: "filter"]

    private static func numbers(_ values: [UInt32]) -> JSONValue { .array(values.map { .integer(Int64($0)) }) }
}

/// The names of capabilities. Source: capabilities(7), linux/capability.h.
enum CapabilityNames {
    private static let known = [
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
        "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
        "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
        "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
        "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
        "checkpoint_restore",
    ]

    /// The names of the bits that are set, in their order; one that is not known is `cap_N`.
    static func of(_ mask: UInt64) -> [String] {
        (0..<64).filter { mask & 1 << $0 != 0 }.map { bit in
            "cap_" + (bit < known.count ? known[bit] : String(bit))
        }
    }
}

/// /proc/PID/limits: soft and hard limit of each resource. Source: proc_pid_limits(5).
struct ResourceLimits: Hashable, Sendable {
    /// One resource: its name as the kernel prints it, such as `Max open files`; the limits are numbers or `unlimited`.
    struct Limit: Hashable, Sendable {
        let name: String
        let soft: String
        let hard: String
    }

    let limits: [Limit]

    /// Parses a limits file: a heading, then columns that start where those of the heading do.
    init(parsing bytes: [UInt8]) {
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        limits = lines.dropFirst().compactMap { line in
            let words = line.split(separator: " ")
            guard let first = words.firstIndex(where: { $0 == "unlimited" || UInt64($0) != nil }), first > 0,
                first + 1 < words.count
            else { return nil }
            return Limit(
                name: words[..<first].joined(separator: " "),
                soft: String(words[first]),
                hard: String(words[first + 1])
            )
        }
    }

    var json: JSONValue {
        .array(limits.map { ["name": .string($0.name), "soft": .string($0.soft), "hard": .string($0.hard)] })
    }
}
