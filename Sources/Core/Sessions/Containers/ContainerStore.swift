import Base
import Documents

/// A container as the storage of podman names it.
struct StoredContainer: Hashable {
    let id: String
    let names: [String]
    /// When it was made.
    var made: Instant?
    /// The folder with what it wrote over its image; `nil` when the driver keeps none. Whether it is there was not asked.
    var upper: BytePath?

    /// By its bytes: the storage is a hint, and two names that only look alike are two.
    func isNamed(_ name: String) -> Bool { names.contains { $0.utf8.elementsEqual(name.utf8) } }
}

/// The containers that c/storage has on disk: `containers.json` of the storage driver, an array of objects with `id` and
/// `names`. The database of libpod is not opened. Read only where nobody but the owner can write (RT8, RT21).
/// Source: containers/storage, containers.go.
struct ContainerStore {
    let owner: ContainerOwner
    private static let drivers = ["overlay", "vfs", "btrfs", "zfs"]
    private static let reading = "read the containers of podman"

    /// All of them.
    ///
    /// - Throws: `notFound` when there is no storage at all, `refused` when others can write it, `malformed` when it is
    ///   not of the form that this version knows.
    func containers() throws(Failure) -> [StoredContainer] {
        var found: [StoredContainer] = []
        var isThere = false
        for driver in ContainerStore.drivers {
            for path in [
                owner.storage.appending("\(driver)-containers/containers.json"),
                owner.volatileStorage.appending("\(driver)-containers/volatile-containers.json"),
            ] {
                guard let bytes = try contents(path) else { continue }
                isThere = true
                found += try parse(bytes, of: path, driver)
            }
        }
        guard isThere else {
            throw Failure(
                .notFound,
                ContainerStore.reading,
                on: String(decoding: owner.storage.bytes, as: UTF8.self),
                because: "\(owner.words) has no containers of podman on this machine",
                hint: owner.uid == nil ? "for a user's containers write podman:USER/NAME" : nil
            )
        }
        return found
    }

    /// Whether podman has written the runtime's configuration of a container, which it does when it starts it.
    func wasStarted(_ id: String) throws(Failure) -> Bool {
        for driver in ContainerStore.drivers
        where try contents(owner.storage.appending("\(driver)-containers/\(id)/userdata/config.json")) != nil {
            return true
        }
        return false
    }

    /// Whether a folder is there.
    ///
    /// - Throws: why it cannot be told: `refused` below others than those who may speak for it.
    func hasFolder(_ path: BytePath) throws(Failure) -> Bool {
        do throws(Failure) {
            _ = try TrustedFile.names(in: path, owners: owner.writers, to: ContainerStore.reading)
            return true
        } catch {
            guard error.code == .notFound else { throw owner.hinting(error) }
            return false
        }
    }

    private func contents(_ path: BytePath) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try TrustedFile.read(path, owners: owner.writers, limit: 16 << 20, to: ContainerStore.reading)
        } catch {
            guard error.code == .notFound else { throw owner.hinting(error) }
            return nil
        }
    }

    private func parse(_ bytes: [UInt8], of path: BytePath, _ driver: String) throws(Failure) -> [StoredContainer] {
        // podman leaves an empty file behind when it is interrupted before its first container.
        if bytes.isEmpty { return [] }
        let limits = JSONReader.Limits(bytes: 16 << 20, depth: 32)
        guard let list = try ContainerStore.json(bytes, limits, of: path).array else {
            throw ContainerStore.unknownForm(path, "a list of containers was expected")
        }
        var found: [StoredContainer] = []
        for item in list {
            guard let id = item["id"]?.string, ContainerStore.isID(id) else {
                throw ContainerStore.unknownForm(path, "a container has no id of 64 hexadecimal digits")
            }
            found.append(
                StoredContainer(
                    id: id,
                    names: (item["names"]?.array ?? []).compactMap(\.string),
                    made: item["created"]?.string.flatMap { Instant(rfc3339: $0) },
                    upper: item["layer"]?.string.flatMap { upper(of: $0, driver) }
                )
            )
        }
        return found
    }

    /// Source: containers/storage, drivers/overlay/overlay.go and drivers/vfs/driver.go.
    private func upper(of layer: String, _ driver: String) -> BytePath? {
        guard ContainerStore.isID(layer) else { return nil }
        switch driver {
        case "overlay": return owner.storage.appending("overlay/\(layer)/diff")
        case "vfs": return owner.storage.appending("vfs/dir/\(layer)")
        case "btrfs": return owner.storage.appending("btrfs/subvolumes/\(layer)")
        default: return nil
        }
    }

    static func isID(_ text: String) -> Bool { text.utf8.count == 64 && text.utf8.allSatisfy(ContainerName.isHex) }

    static func json(_ bytes: [UInt8], _ limits: JSONReader.Limits, of path: BytePath) throws(Failure) -> JSONValue {
        do throws(Failure) {
            return try JSONReader.read(bytes, limits: limits)
        } catch {
            throw unknownForm(path, "\(error.subject): \(error.reason)")
        }
    }

    static func unknownForm(_ path: BytePath, _ reason: String) -> Failure {
        Failure(
            .malformed,
            "read the state of a container",
            on: String(decoding: path.bytes, as: UTF8.self),
            because: "it is not of a form that this version knows: \(reason)",
            hint: "name the container by the pid of one of its processes: quell freeze pid:N"
        )
    }
}
