public import Base
import Glibc

/// Which machine this is and which of its lives: a case is acted upon only where it was opened (RT20).
public struct HostIdentity: Hashable, Sendable, Codable {
    /// The machine id, machine-id(5); empty when the host has none.
    public let machine: String
    /// The boot id, /proc/sys/kernel/random/boot_id.
    public let bootID: String

    /// Takes both parts.
    public init(machine: String, bootID: String) {
        self.machine = machine
        self.bootID = bootID
    }

    /// Reads both files. A missing machine id is not an error, because minimal hosts have none.
    ///
    /// - Throws: the errno of the boot id's file.
    public static func read(
        machineID: BytePath = BytePath("/etc/machine-id"),
        bootID: BytePath = BytePath("/proc/sys/kernel/random/boot_id")
    ) throws(Failure) -> HostIdentity {
        let machine: String
        do {
            machine = try line(of: machineID)
        } catch {
            guard error.code == .notFound else { throw error }
            machine = ""
        }
        return HostIdentity(machine: machine, bootID: try line(of: bootID))
    }

    private static func line(of path: BytePath) throws(Failure) -> String {
        let file = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
        guard file >= 0 else { throw Failure(errno: errno, "read the host's identity", on: path) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw Failure(errno: errno, "read the host's identity", on: path) }
        return String(decoding: bytes[..<count].prefix { $0 > 0x20 && $0 < 0x7F }, as: UTF8.self)
    }
}
