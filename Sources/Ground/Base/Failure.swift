import Glibc

/// What went wrong, told so that a person under stress knows what to do: what was tried, on which object, why it failed,
/// and the next command.
///
/// Wording: lower case, no full stop. Equality is by every field. `subject` may hold hostile text; it is escaped when
/// printed, never before.
public struct Failure: Error, Hashable, Sendable {
    /// What kind of failure this is, for decisions and for the exit status. Extensible: compare with `==`.
    public struct Code: RawRepresentable, Hashable, Sendable, Codable {
        /// The name as it stands in JSON results.
        public let rawValue: String
        /// Takes a name in lower camel case.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A system call failed; `errno` says how.
        public static let system = Code(rawValue: "system")
        /// The named thing does not exist.
        public static let notFound = Code(rawValue: "notFound")
        /// More than one thing has that name.
        public static let ambiguous = Code(rawValue: "ambiguous")
        /// The caller lacks a right.
        public static let notPermitted = Code(rawValue: "notPermitted")
        /// It goes on when somebody has approved it.
        public static let waiting = Code(rawValue: "waiting")
        /// Policy, order or safety forbids it.
        public static let refused = Code(rawValue: "refused")
        /// It did not happen within its deadline.
        public static let timedOut = Code(rawValue: "timedOut")
        /// The input does not have the required form.
        public static let malformed = Code(rawValue: "malformed")
        /// Evidence does not verify.
        public static let notVerified = Code(rawValue: "notVerified")
        /// The thing changed under our hands: a reused pid, a vanished cgroup.
        public static let changed = Code(rawValue: "changed")
        /// A person cancelled it.
        public static let cancelled = Code(rawValue: "cancelled")
        /// The arguments are not of the command's form.
        public static let usage = Code(rawValue: "usage")
    }

    /// The kind.
    public let code: Code
    /// What was tried: an infinitive without `to`, such as `read the cgroup events`.
    public let attempt: String
    /// On which object: a path, a pid, a name. Hostile text is allowed here.
    public let subject: String
    /// Why it failed.
    public let reason: String
    /// The errno of the failed call, when there was one.
    public let errno: Int32?
    /// The next command or step, when one is known.
    public let hint: String?

    /// Takes all parts.
    public init(
        _ code: Code,
        _ attempt: String,
        on subject: String,
        because reason: String,
        errno: Int32? = nil,
        hint: String? = nil
    ) {
        self.code = code
        self.attempt = attempt
        self.subject = subject
        self.reason = reason
        self.errno = errno
        self.hint = hint
    }

    /// Makes the failure of a system call: `number` is errno, read at once after the call. ENOENT and ESRCH become
    /// ``Code/notFound``, EPERM and EACCES ``Code/notPermitted``, the rest ``Code/system``.
    public init(errno number: Int32, _ attempt: String, on subject: BytePath, hint: String? = nil) {
        let code: Code =
            switch number {
            case ENOENT, ESRCH: .notFound
            case EPERM, EACCES: .notPermitted
            default: .system
            }
        self.init(
            code,
            attempt,
            on: String(decoding: subject.bytes, as: UTF8.self),
            because: SystemErrorName.text(number),
            errno: number,
            hint: hint
        )
    }

    /// The same failure with another hint.
    public func hinting(_ hint: String) -> Failure {
        Failure(code, attempt, on: subject, because: reason, errno: errno, hint: hint)
    }
}

extension Failure: CustomStringConvertible {
    /// One line without prefix and hint: `cannot read the cgroup events of /a7: no such file or directory`.
    public var description: String {
        "cannot \(attempt): \(Escaped.terminal(subject)): \(Escaped.terminal(reason))"
    }
}

extension Failure: Codable {}

/// The text of an errno with its name. Quell never calls setlocale(3), so the text is English.
public enum SystemErrorName {
    private static func name(_ number: Int32) -> String? {
        switch number {
        case EPERM: "EPERM"
        case ENOENT: "ENOENT"
        case ESRCH: "ESRCH"
        case EINTR: "EINTR"
        case EIO: "EIO"
        case E2BIG: "E2BIG"
        case EBADF: "EBADF"
        case ECHILD: "ECHILD"
        case EAGAIN: "EAGAIN"
        case ENOMEM: "ENOMEM"
        case EACCES: "EACCES"
        case EBUSY: "EBUSY"
        case EEXIST: "EEXIST"
        case EXDEV: "EXDEV"
        case ENODEV: "ENODEV"
        case ENOTDIR: "ENOTDIR"
        case EISDIR: "EISDIR"
        case EINVAL: "EINVAL"
        case EMFILE: "EMFILE"
        case ENOTTY: "ENOTTY"
        case EFBIG: "EFBIG"
        case ENOSPC: "ENOSPC"
        case EROFS: "EROFS"
        case EMLINK: "EMLINK"
        case EPIPE: "EPIPE"
        case ENAMETOOLONG: "ENAMETOOLONG"
        case ENOSYS: "ENOSYS"
        case ENOTEMPTY: "ENOTEMPTY"
        case ELOOP: "ELOOP"
        case ENODATA: "ENODATA"
        case EOVERFLOW: "EOVERFLOW"
        case EOPNOTSUPP: "EOPNOTSUPP"
        case ECONNREFUSED: "ECONNREFUSED"
        case ECONNRESET: "ECONNRESET"
        case ETIMEDOUT: "ETIMEDOUT"
        case ESTALE: "ESTALE"
        case EDQUOT: "EDQUOT"
        case ENXIO: "ENXIO"
        default: nil
        }
    }

    /// `no such file or directory (ENOENT)`; an errno without a name here keeps its number.
    public static func text(_ number: Int32) -> String {
        guard let words = strerror(number) else { return "errno \(number)" }
        return "\(String(cString: words).lowercased()) (\(name(number) ?? "errno \(number)"))"
    }
}
