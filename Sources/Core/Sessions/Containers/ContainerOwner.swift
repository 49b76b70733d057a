import Base
import Documents
import Kernel

/// Whose containers are looked at, and where their files lie: root's below /var/lib and /run, a user's below the home
/// and /run/user. Source: containers-storage.conf(5), podman(1).
struct ContainerOwner {
    /// The uid that may have written the files, and that may own the containers; `nil` for root, who speaks for every uid.
    let uid: UInt32?
    /// Where c/storage keeps the containers, without the folder of the driver.
    let storage: BytePath
    /// Where c/storage keeps what lives as long as the boot.
    let volatileStorage: BytePath
    /// Where the runtimes keep their states.
    let states: BytePath
    /// How to say it.
    let words: String

    /// Root's.
    static func root(at root: BytePath) -> ContainerOwner {
        ContainerOwner(
            uid: nil,
            storage: root.appending("var/lib/containers/storage"),
            volatileStorage: root.appending("run/containers/storage"),
            states: root.appending("run"),
            words: "root"
        )
    }

    /// A user's, as /etc/passwd has the user; no name service is asked (RT38). Without the home only what the runtimes
    /// themselves keep is read.
    static func user(
        _ name: String,
        at root: BytePath,
        on host: Host,
        withHome: Bool = true
    ) throws(Failure) -> ContainerOwner {
        try user(named: name, at: root, on: host, withHome: withHome) { fields in fields[0].elementsEqual(name.utf8) }
    }

    /// The containers of the user with that uid.
    static func user(_ uid: UInt32, at root: BytePath, on host: Host) throws(Failure) -> ContainerOwner {
        let digits = String(uid)
        return try user(named: digits, at: root, on: host, withHome: true) { fields in
            fields[2].elementsEqual(digits.utf8)
        }
    }

    private static func user(
        named name: String,
        at root: BytePath,
        on host: Host,
        withHome: Bool,
        isMeant: ([ArraySlice<UInt8>]) -> Bool
    ) throws(Failure) -> ContainerOwner {
        let finding = "find the user's containers"
        let lines = try TrustedFile.read(root.appending("etc/passwd"), limit: 4 << 20, to: finding)
        for line in lines.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 6, isMeant(fields),
                let uid = UInt32(String(decoding: fields[2], as: UTF8.self))
            else { continue }
            guard uid != 0 else { return .root(at: root) }
            let home = BytePath(Array(fields[5]))
            guard home.isAbsolute, !home.components.contains(BytePath("..")) else { break }
            let inside = home.components.reduce(root) { $0.appending($1) }
            let volatile = root.appending("run/user/\(uid)")
            let read = ["containers", "runc", "crun"].map { volatile.appending($0) }
            for path in withHome ? [inside] + read : read { try refuseSlowMount(path, on: host) }
            return ContainerOwner(
                uid: uid,
                storage: inside.appending(".local/share/containers/storage"),
                volatileStorage: volatile.appending("containers"),
                states: volatile,
                words: "user \(String(decoding: fields[0], as: UTF8.self))"
            )
        }
        throw Failure(.notFound, finding, on: name, because: "/etc/passwd has no such user with a home")
    }

    /// A user may mount a filesystem of their own over what is theirs, and whoever opens a file there waits for them (RT7,
    /// RT13). The types are those of the mount table, which the kernel writes.
    private static func refuseSlowMount(_ path: BytePath, on host: Host) throws(Failure) {
        for mount in (try mounts(of: host)).entries {
            let isSlow =
                mount.type.hasPrefix("fuse") || mount.type.hasPrefix("nfs")
                || ["autofs", "9p", "cifs"].contains(mount.type)
            guard isSlow, path.isAtOrBelow(mount.mountPoint) || mount.mountPoint.isAtOrBelow(path) else { continue }
            throw Failure(
                .refused,
                "look for the user's containers",
                on: String(decoding: path.bytes, as: UTF8.self),
                because: "\(mount.type) is mounted there, and reading it may hang before anything is frozen",
                hint: "name the container by the pid of one of its processes: quell freeze pid:N"
            )
        }
    }

    private static func mounts(of host: Host) throws(Failure) -> MountTable {
        let path = BytePath("self/mountinfo")
        do throws(Failure) {
            let file = try host.proc.descriptor.open(path, 0, to: "read the mounts")
            return MountTable(parsing: try file.readToEnd(limit: 16 << 20, from: path))
        } catch {
            // A recorded machine has none.
            guard error.code == .notFound else { throw error }
            return MountTable(parsing: [UInt8]())
        }
    }

    /// Who may have written the files.
    var writers: TrustedOwners { uid.map { TrustedOwners([0, $0]) } ?? .current() }
}
