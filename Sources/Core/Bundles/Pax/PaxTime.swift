/// Times before 1970 on their way through libarchive 3.6.2, which writes and reads seconds and nanoseconds as if the sign
/// were the seconds' alone: one second and a half before 1970 is (-2, 500000000) for stat(2) and `-1.5` for pax (POSIX.1
/// pax, "pax Extended Header", mtime), and it would write `-2.5`.
enum PaxTime {
    /// What libarchive must be given so that it writes the decimal number that pax means. A time within the last second
    /// before 1970 has no such form: it is cut to the whole second.
    static func written(_ time: FileTime) -> FileTime {
        guard time.seconds < 0, time.nanoseconds > 0 else { return time }
        if time.seconds == -1 { return FileTime(seconds: -1) }
        return FileTime(seconds: time.seconds + 1, nanoseconds: 1_000_000_000 - time.nanoseconds)
    }

    /// The time that stands in a header, from what libarchive read there.
    static func read(_ time: FileTime) -> FileTime {
        guard time.seconds < 0, time.nanoseconds > 0 else { return time }
        return FileTime(seconds: time.seconds - 1, nanoseconds: 1_000_000_000 - time.nanoseconds)
    }

    /// The time as an archive keeps it.
    static func kept(_ time: FileTime) -> FileTime { read(written(time)) }
}
