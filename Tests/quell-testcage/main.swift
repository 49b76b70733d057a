// Enters the worker's cage and tries one thing. Reaching the end of an attempt that should be fatal is status 1;
// an attempt that should succeed ends with 42.
import Base
import Glibc
import Kernel
import Logs

let attempt = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : ""
let extra = open("/", O_RDONLY)

do throws(Failure) {
    try WorkerSandbox.enter()
} catch {
    exit(2)
}

switch attempt {
case "open": _ = open("/etc/hostname", O_RDONLY)
case "socket": _ = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
case "execve":
    var nothing: [UnsafeMutablePointer<CChar>?] = [nil]
    execve("/usr/bin/true", &nothing, &nothing)
case "kill": kill(getppid(), SIGKILL)
case "executable-memory": _ = mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
case "thread":
    var thread = pthread_t()
    pthread_create(&thread, nil, { _ in nil }, nil)
case "namespace": chroot("/")
case "unlink": unlink("/nothing-of-this-name")
case "nobody":
    let sum = [UInt8](repeating: 1, count: 4 << 20).reduce(0) { $0 + Int($1) }
    let isNobody = getuid() == 65_534 && geteuid() == 65_534 && getgid() == 65_534 && getegid() == 65_534
    let isClosed = lseek(extra, 0, SEEK_CUR) == -1 && errno == EBADF
    print("still here")
    exit(isNobody && isClosed && sum == 4 << 20 ? 42 : 1)
case "logs":
    // What `quell worker logs` does, on the file behind descriptor 0.
    do throws(Failure) {
        try WorkerLogs.run(input: 0, output: 1, format: .claudeCode)
        exit(42)
    } catch {
        exit(3)
    }
case "memory":
    let most = 1 << 30
    let block = mmap(nil, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    exit(block == MAP_FAILED ? 42 : 1)
default: exit(64)
}
exit(1)
