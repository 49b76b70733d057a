import Base

/// A kind of place where data can lie that no file walk and no memory image finds (RT29). Each is a planned item of the
/// class `parked`, named by its raw value, and ends collected or with the reason why not.
enum ParkedKind: String, CaseIterable {
    /// System V shared memory: the table, and the content of each segment.
    case segments = "sysv-shm"
    /// System V semaphores: the table; their values are no data.
    case semaphores = "sysv-sem"
    /// System V message queues: the table, and each message by MSG_COPY, which leaves it in the queue.
    case messages = "sysv-msg"
    /// POSIX message queues: names, owners, sizes; reading a message would take it.
    case queues = "posix-mqueue"
    /// Keys of the kernel: descriptions; what may be read as a handle.
    case keys = "keys"
    /// Files and buffers that are registered with an io_uring.
    case rings = "io-uring"
    /// BPF programs and maps behind descriptors, and names below bpffs.
    case bpf = "bpf"
    /// Descriptors that wait in the queues of unix sockets.
    case inFlight = "in-flight-descriptors"
    /// Namespaces that are held by a descriptor or a mount and by no process of the session.
    case namespaces = "held-namespaces"
    /// epoll, eventfd, timerfd, signalfd, inotify, fanotify, pidfd and their like.
    case events = "event-descriptors"
    /// Directories with content that a mount hides.
    case overmounts
    /// Sockets with abstract names.
    case abstractSockets = "abstract-sockets"

    /// Its item before anything is known.
    var item: CollectionItem { CollectionItem(.parked, path: BytePath(rawValue)) }
}
