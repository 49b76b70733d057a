import Glibc

/// A dropped line must not stop a containment half way: SIGHUP is ignored for the whole process, and a reader of our
/// output that goes away is seen as EPIPE instead of a signal. Source: signal(7).
func ignoreHangUp() {
    signal(SIGHUP, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
}
