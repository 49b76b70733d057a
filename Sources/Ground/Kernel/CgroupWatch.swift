public import Base
internal import Glibc

/// Waits for what the kernel tells of cgroups: changes of their events (frozen, populated), and groups that are made or
/// removed in a folder. Source: cgroup-v2, "cgroup.events"; inotify(7). The v1 hierarchies tell nothing: whoever waits
/// gives a deadline, and looks then.
public final class CgroupWatch {
    private var events: [SharedDescriptor] = []
    private let notices: SharedDescriptor?

    /// Watches groups of the v2 hierarchy, and the folders `places` for groups that come and go. A group that is gone is
    /// not watched, and is no error; nor is a kernel without notices.
    public init(_ groups: [CgroupPin], places: [CgroupPin] = [], on host: Host) {
        for pin in groups where pin.hierarchy == "v2" && pin.path != BytePath("/") {
            do throws(Failure) {
                events.append(SharedDescriptor(try Cgroup(pin, on: host).open("cgroup.events", O_RDONLY)))
            } catch {
                continue
            }
        }
        let number = places.isEmpty ? -1 : inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        notices = number < 0 ? nil : SharedDescriptor(Descriptor(adopting: number))
        for pin in places { watch(pin, on: host) }
        // The first read arms the notice of each file.
        for file in events { CgroupWatch.drain(file.descriptor) }
    }

    private func watch(_ pin: CgroupPin, on host: Host) {
        guard notices != nil, let mask = UInt32(exactly: IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM) else {
            return
        }
        do throws(Failure) {
            let folder = try Cgroup(pin, on: host).open(".", O_RDONLY | O_DIRECTORY)
            if let notices { _ = inotify_add_watch(notices.descriptor.number, "/proc/self/fd/\(folder.number)", mask) }
        } catch {
            return
        }
    }

    /// Whether the kernel told of a change before the deadline; a signal ends the waiting as well, and so does a
    /// descriptor that becomes readable, which does not miss a signal that came right before.
    public func wait(until deadline: Deadline, orReadable other: Int32 = -1) -> Bool {
        var watched = events.map { pollfd(fd: $0.descriptor.number, events: Int16(POLLPRI), revents: 0) }
        if let notices { watched.append(pollfd(fd: notices.descriptor.number, events: Int16(POLLIN), revents: 0)) }
        watched.append(pollfd(fd: other, events: Int16(POLLIN), revents: 0))
        let count = poll(&watched, nfds_t(watched.count), max(0, deadline.pollTimeout))
        guard count > 0, watched.dropLast().contains(where: { $0.revents != 0 }) else { return false }
        for file in events { CgroupWatch.drain(file.descriptor) }
        if let notices {
            var buffer = [UInt8](repeating: 0, count: 8192)
            while read(notices.descriptor.number, &buffer, buffer.count) > 0 {}
        }
        return true
    }

    private static func drain(_ file: borrowing Descriptor) {
        var buffer = [UInt8](repeating: 0, count: 256)
        _ = pread(file.number, &buffer, buffer.count, 0)
    }
}
