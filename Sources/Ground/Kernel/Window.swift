internal import Base
internal import CLinux
internal import Glibc

/// How Quell came to a filesystem of the kernel (RT6).
public enum Window: Hashable, Sendable {
    /// A mount of its own that nobody else can cover: fsopen(2), fsmount(2), or a clone of a checked one, open_tree(2).
    case own
    /// The mount that everybody sees, checked by its filesystem type; it may be covered in parts. The text says why
    /// there is no own one.
    case visible(because: String)
    /// A recorded tree, for tests.
    case recorded
}

/// Makes own windows on kernel filesystems.
enum WindowMaker {
    static let procMagic = 0x9fa0
    static let cgroup1Magic = 0x27e0eb
    static let cgroup2Magic = 0x6367_7270

    /// Mounts a filesystem nowhere and returns its root directory.
    static func mount(_ type: String, options: [MountOption]) throws(Failure) -> Descriptor {
        let path = BytePath(type)
        let context = quell_fsopen(type)
        guard context >= 0 else { throw Failure(errno: errno, "open a filesystem context", on: path) }
        let owned = Descriptor(adopting: context)
        for option in options {
            let result =
                switch option {
                case .flag(let key): quell_fsconfig_flag(owned.number, key)
                case .string(let key, let value): quell_fsconfig_string(owned.number, key, value)
                }
            guard result == 0 else { throw Failure(errno: errno, "set a mount option", on: path) }
        }
        guard quell_fsconfig_create(owned.number) == 0 else {
            throw Failure(errno: errno, "create a filesystem", on: path)
        }
        // MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
        let mounted = quell_fsmount(owned.number, 0x2 | 0x4 | 0x8)
        guard mounted >= 0 else { throw Failure(errno: errno, "mount a filesystem", on: path) }
        return Descriptor(adopting: mounted)
    }

    /// Clones the unified hierarchy from a mount that stands somewhere, and attaches the clone nowhere; what is mounted
    /// below it or over it is not in the clone. Gives `nil` when that is not the root of cgroup2 as the kernel numbers it
    /// (inode 1 outside cgroup namespaces), whatever the mount table said, or when nothing can be written there: then nothing
    /// could be frozen through the clone.
    ///
    /// Making cgroup2 anew costs a grace period of RCU, 4 to 20 ms on a quiet machine, because the kernel then sets the
    /// options of the whole hierarchy again (apply_cgroup_root_flags); a clone takes none and sets none.
    static func cloneOfUnified(at path: BytePath) -> Descriptor? {
        let clone = path.withCString { quell_clone_mount($0) }
        guard clone >= 0 else { return nil }
        let owned = Descriptor(adopting: clone)
        guard quell_filesystem_type(owned.number) == cgroup2Magic, quell_inode(owned.number) == 1,
            quell_is_read_only(owned.number) == 0
        else { return nil }
        return owned
    }

    /// Opens a visible mount and believes it only if the kernel says that it is of the expected type.
    static func visible(_ path: BytePath, magic: Int) throws(Failure) -> Descriptor {
        let directory = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY, to: "open a kernel filesystem")
        guard quell_filesystem_type(directory.number) == magic else {
            throw Failure(
                .changed,
                "trust a kernel filesystem",
                on: path.description,
                because: "another filesystem is mounted there"
            )
        }
        return directory
    }
}

/// One option for fsconfig(2).
enum MountOption {
    case flag(String)
    case string(String, String)
}
