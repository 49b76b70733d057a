import Base
import Glibc
import Kernel
import Sealing

/// data/facts.json: which machine and which kernel this was, and the settings that decide what a session could do.
struct HostFacts {
    /// Settings that matter to an investigation, below /proc/sys.
    static let settings = [
        "kernel/yama/ptrace_scope", "kernel/unprivileged_userns_clone", "user/max_user_namespaces",
        "kernel/unprivileged_bpf_disabled", "kernel/io_uring_disabled", "kernel/core_pattern", "kernel/core_uses_pid",
        "kernel/kptr_restrict", "kernel/dmesg_restrict", "kernel/perf_event_paranoid", "kernel/modules_disabled",
        "kernel/kexec_load_disabled", "kernel/randomize_va_space", "kernel/sysrq", "kernel/tainted", "kernel/modprobe",
        "vm/unprivileged_userfaultfd", "vm/memfd_noexec", "fs/protected_symlinks", "fs/protected_hardlinks",
        "fs/suid_dumpable", "net/ipv4/ip_forward", "kernel/apparmor_restrict_unprivileged_userns",
    ]

    private let host: Host
    private var missing: [String] = []
    /// What is there, or may be, and could not be read, and why.
    private var unread: [String: String] = [:]

    init(_ host: Host) { self.host = host }

    /// The document. A file that this kernel or system has not is listed under `missing`, which is no failure; one that
    /// could not be read, or not whole, under `unread`.
    var document: JSONValue {
        var copy = self
        return copy.read()
    }

    private mutating func read() -> JSONValue {
        var facts = JSONObject()
        facts["kernel"] = text("version", of: proc("version"))
        facts["kernelRelease"] = text("sys/kernel/osrelease", of: proc("sys/kernel/osrelease"))
        facts["kernelCommandLine"] = commandLine()
        facts["hostname"] = text("sys/kernel/hostname", of: proc("sys/kernel/hostname"))
        facts["bootID"] = .string(host.bootID)
        facts["machineIDDigest"] = machineID()
        facts["osRelease"] = operatingSystem()
        facts["processors"] = processors()
        facts["memory"] = memory()
        facts["uptime"] = text("uptime", of: proc("uptime"))
        facts["securityModules"] = text("lsm", of: file("/sys/kernel/security/lsm"))
        facts["lockdown"] = text("lockdown", of: file("/sys/kernel/security/lockdown"))
        facts["cgroupMounts"] = cgroupMounts()
        var values = JSONObject()
        for name in HostFacts.settings { values[name] = text(name, of: proc("sys/" + name)) }
        facts["settings"] = .object(values)
        facts["hostNotes"] = .array(host.notes.map(JSONValue.string))
        if !unread.isEmpty {
            var told = JSONObject()
            for (name, reason) in unread { told[name] = .string(reason) }
            facts["unread"] = .object(told)
        }
        facts["missing"] = .array(missing.sorted().map(JSONValue.string))
        return .object(facts)
    }

    /// Bytes of one file.
    private static let most = 1 << 20

    private mutating func proc(_ name: String) -> [UInt8]? {
        let path = BytePath(name)
        do throws(Failure) {
            let bytes = try host.proc.descriptor.open(path, O_RDONLY).readToEnd(limit: HostFacts.most + 1, from: path)
            return bounded(bytes, of: name)
        } catch {
            note(error, of: name)
            return nil
        }
    }

    private mutating func bounded(_ bytes: [UInt8], of name: String) -> [UInt8] {
        if bytes.count > HostFacts.most { unread[name] = "longer than \(HostFacts.most) bytes: cut" }
        return [UInt8](bytes.prefix(HostFacts.most))
    }

    private mutating func note(_ failure: Failure, of name: String) {
        if failure.code != .notFound { unread[name] = failure.reason }
    }

    /// Files of the host's own configuration, which only root writes.
    private mutating func file(_ name: String) -> [UInt8]? {
        let path = BytePath(name)
        do throws(Failure) {
            let bytes = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK)
                .readToEnd(limit: HostFacts.most + 1, from: path)
            return bounded(bytes, of: name)
        } catch {
            note(error, of: name)
            return nil
        }
    }

    private mutating func text(_ name: String, of bytes: [UInt8]?) -> JSONValue? {
        guard var bytes else {
            missing.append(name)
            return nil
        }
        while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return BytePath(bytes).json
    }

    /// Words that look like secrets are withheld: boot loaders hand over tokens that way.
    private mutating func commandLine() -> JSONValue? {
        guard let bytes = proc("cmdline") else {
            missing.append("cmdline")
            return nil
        }
        let words = bytes.split { $0 <= UInt8(ascii: " ") }.map { word in
            let parts = word.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0] != Array("root".utf8)[...],
                SecretShape.isSecret(name: Array(parts[0]), value: Array(parts[1]))
            else { return BytePath(Array(word)).json }
            return BytePath(Array(parts[0]) + Array("=(withheld)".utf8)).json
        }
        return .array(words)
    }

    /// A machine id is not to be exposed (machine-id(5)): its digest says whether two bundles are of one machine.
    private mutating func machineID() -> JSONValue? {
        guard let bytes = file("/etc/machine-id"), !bytes.isEmpty else {
            missing.append("machine-id")
            return nil
        }
        return .string(SHA256.digest(of: Array("quell machine id\n".utf8) + bytes).hex)
    }

    private mutating func operatingSystem() -> JSONValue? {
        guard let bytes = file("/etc/os-release") ?? file("/usr/lib/os-release") else {
            missing.append("os-release")
            return nil
        }
        var fields = JSONObject()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let parts = String(decoding: line, as: UTF8.self).split(separator: "=", maxSplits: 1)
            guard parts.count == 2, !parts[0].hasPrefix("#") else { continue }
            fields[String(parts[0])] = .string(String(parts[1].filter { $0 != "\"" }))
        }
        return .object(fields)
    }

    private mutating func processors() -> JSONValue? {
        guard let bytes = proc("cpuinfo") else {
            missing.append("cpuinfo")
            return nil
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        let models = lines.filter { $0.hasPrefix("model name") }.compactMap { line in
            line.firstIndex(of: ":").map { String(line[line.index(after: $0)...].drop { $0 == " " }) }
        }
        return [
            "count": .integer(Int64(lines.count { $0.hasPrefix("processor") })),
            "models": .array(Set(models).sorted().map(JSONValue.string)),
        ]
    }

    private mutating func memory() -> JSONValue? {
        guard let bytes = proc("meminfo") else {
            missing.append("meminfo")
            return nil
        }
        var fields = JSONObject()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == ":" }
            guard words.count >= 2, ["MemTotal", "MemAvailable", "SwapTotal", "SwapFree", "Shmem"].contains(words[0])
            else { continue }
            fields[String(words[0]) + "Kilobytes"] = Int64(words[1]).map(JSONValue.integer)
        }
        return .object(fields)
    }

    private mutating func cgroupMounts() -> JSONValue? {
        guard let bytes = proc("self/mountinfo") else {
            missing.append("self/mountinfo")
            return nil
        }
        return .array(
            MountTable(parsing: bytes).entries.filter { $0.type.hasPrefix("cgroup") }.map { mount in
                [
                    "mountPoint": mount.mountPoint.json, "type": .string(mount.type),
                    "superOptions": mount.superOptionsBytes.json,
                ]
            }
        )
    }
}
