import Base
import Bundles
import Glibc
import Kernel
import Programs
import Sealing
import Testing

@testable import Evidence

/// Makes one of each thing in which data can lie without a file, says what it made, and waits.
private let parker = """
    import ctypes, json, mmap, os, select, socket, struct, sys
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    libc.shmdt.argtypes = [ctypes.c_void_p]
    libc.mmap.restype = ctypes.c_void_p
    def need(value, what):
        if value is None or value < 0: raise OSError(ctypes.get_errno(), what)
        return value
    need(libc.unshare(0x08000000), 'unshare ipc')
    made = {'ipc': os.stat('/proc/self/ns/ipc').st_ino}
    made['attached'] = need(libc.shmget(0x51, 8192, 0o1600), 'shmget')
    address = libc.shmat(made['attached'], None, 0)
    ctypes.memmove(address, b'attached content', 16)
    made['alone'] = need(libc.shmget(0x52, 1 << 20, 0o1600), 'shmget')
    address = libc.shmat(made['alone'], None, 0)
    ctypes.memmove(address + 4096, b'content that nobody has attached', 32)
    libc.shmdt(address)
    made['sem'] = need(libc.semget(0x53, 3, 0o1600), 'semget')
    made['msg'] = need(libc.msgget(0x54, 0o1600), 'msgget')
    message = struct.pack('l', 7) + b'a parked message'
    need(libc.msgsnd(made['msg'], message, 16, 0), 'msgsnd')
    queue = need(libc.mq_open(b'/quell-parked', os.O_CREAT | os.O_RDWR, 0o600, None), 'mq_open')
    need(libc.mq_send(queue, b'posix', 5, 1), 'mq_send')
    os.close(queue)
    folder = sys.argv[1]
    def gone(name, content):
        descriptor = os.open(folder + '/' + name, os.O_RDWR | os.O_CREAT, 0o600)
        os.write(descriptor, content)
        os.unlink(folder + '/' + name)
        return descriptor
    ring = libc.syscall(425, 4, (ctypes.c_char * 120)())
    made['ring'] = ring
    if ring >= 0:
        file = gone('ringed', b'only the ring holds this')
        need(libc.syscall(427, ring, 2, (ctypes.c_int * 1)(file), 1), 'register')
        os.close(file)
    made['bpf'] = libc.syscall(321, 0, (ctypes.c_uint32 * 32)(2, 4, 4, 1), 128)
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    flying = gone('flying', b'in flight')
    socket.send_fds(one, [b'x'], [flying])
    os.close(flying)
    named = socket.socket(socket.AF_UNIX)
    named.bind(b'\\0quell-parked-name')
    own = os.open('/proc/self/ns/net', os.O_RDONLY)
    need(libc.unshare(0x40000000), 'unshare net')
    inside = socket.socket()
    inside.bind(('0.0.0.0', 4711))
    inside.listen()
    held = os.open('/proc/self/ns/net', os.O_RDONLY)
    made['net'] = os.fstat(held).st_ino
    need(libc.setns(own, 0x40000000), 'setns')
    os.close(own)
    poll = select.epoll()
    poll.register(one, select.EPOLLIN)
    made['epoll'] = poll.fileno()
    counter = need(libc.eventfd(41, 0), 'eventfd')
    descriptor = os.memfd_create('quell-mapped')
    os.write(descriptor, b'mapped and closed' + bytes(8192))
    view = mmap.mmap(descriptor, 4096)
    os.close(descriptor)
    # mmap(2) of python keeps a duplicate: close what still leads there.
    for entry in os.listdir('/proc/self/fd'):
        try:
            if os.readlink('/proc/self/fd/' + entry).startswith('/memfd:quell-mapped'): os.close(int(entry))
        except OSError: pass
    shared = mmap.mmap(-1, 4096)
    shared[:6] = b'shared'
    need(libc.unshare(0x20000), 'unshare mnt')
    libc.mount(b'none', b'/', None, (1 << 14) | (1 << 18), None)
    os.mkdir(folder + '/over')
    need(libc.mount(b'tmpfs', os.fsencode(folder + '/over'), b'tmpfs', 0, None), 'mount')
    made['key'] = libc.syscall(248, b'user', b'quell-parked-key', b'hunter2' + b'-key', 11, -2)
    print('ready ' + json.dumps(made), flush=True)
    while True: select.select([], [], [])
    """

extension SystemTests {
    @Suite("what is gone after a kill", .kernel(.root, .cgroup2))
    struct VolatileSystemTests {
        @Test("RT29 parked data of every kind is collected, or told with the reason why not", .sandbox)
        func parked() throws {
            let scene = try Parking()
            let (made, bundle) = (scene.made, scene.bundle)
            let items = try lines("data/collection.jsonl", of: bundle).filter { $0["item"]?.string == "parked" }
            for kind in ParkedKind.allCases {
                let ended = items.filter { $0["path"]?.string == kind.rawValue }
                #expect(ended.count == 1 && ended.first?["outcome"]?.string != "failed", "\(kind) \(ended)")
            }
            func outcome(_ kind: ParkedKind) -> String? {
                items.first { $0["path"]?.string == kind.rawValue }?["outcome"]?.string
            }
            let parked = try lines("data/parked.jsonl", of: bundle)
            func told(_ kind: ParkedKind) -> [JSONValue] { parked.filter { $0["parked"]?.string == kind.rawValue } }

            let segments = told(.segments)
            #expect(segments.count == 2 && outcome(.segments) == "collected")
            func content(_ id: String) throws -> [UInt8] {
                let line = segments.first { $0["shmid"] == made[id] }
                return try bundle.bytes(of: PayloadName(try #require(line?["member"]?.string)))
            }
            #expect(try content("attached").starts(with: "attached content".utf8))
            #expect(try content("alone").count == 1 << 20)
            #expect(try content("alone").dropFirst(4096).starts(with: "content that nobody has attached".utf8))
            let touched = items.first { $0["reason"]?.string?.contains("changed its attach") == true }
            #expect(touched?["outcome"] == "collected")
            #expect(told(.semaphores).first?["nsems"] == 3 && outcome(.semaphores) == "collected")

            let queue = try #require(told(.messages).first)
            #expect(queue["qnum"] == 1 && queue["msqid"] == made["msg"])
            let copied = try lines(try #require(queue["member"]?.string), of: bundle)
            #expect(copied.first?["bytes"]?.string == Base64.encode(Array("a parked message".utf8)))
            #expect(copied.first?["type"] == 7)

            #expect(told(.queues).first?["name"] == "quell-parked" && outcome(.queues) == "partial")
            #expect(told(.inFlight).count == 1 && outcome(.inFlight) == "partial")
            #expect(told(.namespaces).contains { $0["namespace"] == made["net"] && $0["hasMember"] == false })
            #expect(told(.events).contains { $0["type"] == "eventpoll" })
            #expect(
                told(.events).contains { $0["details"]?.array?.contains { $0.string?.contains("29") == true } == true }
            )
            #expect(told(.abstractSockets).contains { $0["name"]?.string?.contains("quell-parked-name") == true })
            #expect(outcome(.overmounts) == "partial")
            #expect(told(.overmounts).contains { $0["mountPoint"]?.string?.hasSuffix("/over") == true })
            if made["ring"]?.integer ?? -1 >= 0 {
                #expect(told(.rings).first?["registeredFiles"]?.array?.first?.string?.contains("ringed") == true)
                #expect(outcome(.rings) == "partial")
            }
            if made["bpf"]?.integer ?? -1 >= 0 {
                #expect(
                    told(.bpf).contains {
                        $0["details"]?.array?.contains { $0.string?.hasPrefix("map_id:") == true } == true
                    }
                )
            }
            if made["key"]?.integer ?? -1 >= 0 {
                #expect(told(.keys).contains { $0["description"]?.string?.contains("quell-parked-key") == true })
            }
        }

        @Test("RT29 the sockets of a network namespace that only a descriptor holds are told", .sandbox)
        func heldNetwork() throws {
            let scene = try Parking()
            let sockets = try lines("data/sockets.jsonl", of: scene.bundle)
            #expect(
                sockets.contains {
                    $0["networkNamespace"] == scene.made["net"] && $0["local"]?.string == "0.0.0.0:4711"
                        && $0["state"] == "listen"
                }
            )
        }

        @Test("a memfd that is only mapped is recovered; shared memory is left to the memory image", .sandbox)
        func mapped() throws {
            let scene = try Parking()
            let recovered = try lines("data/recovered/index.jsonl", of: scene.bundle)
            let memory = try #require(recovered.first { $0["path"]?.string?.contains("quell-mapped") == true })
            let member = try #require(memory["member"]?.string)
            #expect(try scene.bundle.bytes(of: PayloadName(member)).starts(with: "mapped and closed".utf8))
            #expect(memory["holders"]?.array?.first?["link"]?.string?.hasPrefix("map_files/") == true)
            #expect(!recovered.contains { $0["path"]?.string?.hasPrefix("/dev/zero") == true })
            #expect(!recovered.contains { $0["path"]?.string?.hasPrefix("/SYSV") == true })
        }

        @Test("the messages of a queue are still there after they were copied", .sandbox)
        func untouched() throws {
            let scene = try Parking()
            let again = try scene.capture(as: "again")
            let parked = try lines("data/parked.jsonl", of: again)
            let queue = try #require(parked.first { $0["parked"] == "sysv-msg" })
            #expect(queue["qnum"] == 1 && queue["rtime"] == .null && queue["lrpid"] == 0)
        }

        @Test("a process is told with its rights, limits, namespaces and what its threads wait for", .sandbox)
        func process() throws {
            let scene = try Parking()
            let line = try #require(try lines("data/processes.jsonl", of: scene.bundle).first)
            #expect(line["uids"] == [0, 0, 0, 0] && line["gids"]?.array?.count == 4)
            #expect(line["capabilities"]?["effective"]?.array?.contains("cap_sys_admin") == true)
            #expect(line["seccomp"] == "none" && line["noNewPrivileges"] == false)
            #expect(line["limits"]?.array?.contains { $0["name"] == "Max open files" } == true)
            #expect(line["namespaces"]?["ipc"] == scene.made["ipc"])
            #expect(line["cwdFile"]?["inode"]?.string != nil && line["cwdDeleted"] == false)
            let thread = try #require(line["threads"]?.array?.first)
            #expect(thread["policy"] == "other" && thread["affinity"]?.string != nil)
            // select(2), by whatever number this machine gives it, and where in the kernel it sleeps.
            #expect(thread["systemCall"]?.string?.isEmpty == false)
            #expect(line["openFiles"]?.array?.contains { $0["mount"]?.integer != nil } == true)
        }

        @Test("no value that looks like a secret is anywhere in the bundle of the session", .sandbox)
        func secrets() throws {
            let scene = try Parking()
            let line = try #require(try lines("data/processes.jsonl", of: scene.bundle).first)
            let told = line["environ"]?.array ?? []
            let token = try #require(told.first { $0["name"] == "SERVICE_API_TOKEN" })
            #expect(token["handle"]?.string == "env:\(scene.pid):SERVICE_API_TOKEN" && token["length"] == 14)
            #expect(token["value"] == nil)
            #expect(told.contains { $0["name"] == "LD_DEBUG_OUTPUT" && $0["value"] == "/tmp/told" })
            let searched = try Program("/bin/grep", ["-rlaE", "hunter2-(value|key)", scene.path.text ?? ""]).run()
            #expect(searched.text.isEmpty && searched.status == 1, "\(searched.text)")
        }

        @Test("RT29 in Quell's own namespace a segment is the session's by its owner and processes only", .sandbox)
        func sharedNamespace() throws {
            let sandbox = try Sandbox.of()
            let mine = shmget(IPC_PRIVATE, 4096, 0o600)
            try #require(mine >= 0)
            defer { shmctl(mine, IPC_RMID, nil) }
            let script = """
                import ctypes, os, select
                libc = ctypes.CDLL(None, use_errno=True)
                os.setgid(54321); os.setuid(54321)
                id = libc.shmget(0, 4096, 0o1600)
                libc.shmat.restype = ctypes.c_void_p
                address = libc.shmat(id, None, 0)
                libc.shmctl(id, 0, None)  # IPC_RMID: gone with its process
                print('ready', id, flush=True)
                while True: select.select([], [], [])
                """
            let child = try sandbox.start(Program("/usr/bin/python3", ["-c", script]))
            let ready = try child.line { $0.hasPrefix("ready") }
            let id = try #require(Int64(ready.split(separator: " ")[1]))
            let host = try Host()
            let request = try request(members: [child.id], on: host)
            let bundle = try captured(request, host, at: sandbox.folder + "/b")
            let ids = try lines("data/parked.jsonl", of: bundle).filter { $0["parked"] == "sysv-shm" }.map {
                $0["shmid"]
            }
            #expect(ids == [.integer(id)])
        }

        @Test("content under a mount of Quell's own namespace is told of")
        func overmount() async {
            await #expect(processExitsWith: .success) {
                guard enterOwnMountNamespace() == 0 else { exit(70) }
                let folder = try #require(Files.makeTemporaryFolder("/tmp/quell-test-over-XXXXXX"))
                mkdir(folder + "/full", 0o755)
                mkdir(folder + "/empty", 0o755)
                mkdir(folder + "/itself", 0o755)
                mkdir(folder + "/other", 0o755)
                for name in ["itself", "other"] { close(open(folder + "/\(name)/loot", O_WRONLY | O_CREAT, 0o600)) }
                close(open(folder + "/full/loot", O_WRONLY | O_CREAT, 0o600))
                guard mount("tmpfs", folder + "/full", "tmpfs", 0, nil) == 0,
                    mount("tmpfs", folder + "/empty", "tmpfs", 0, nil) == 0,
                    mount(folder + "/itself", folder + "/itself", nil, UInt(MS_BIND), nil) == 0,
                    mount(folder + "/itself", folder + "/other", nil, UInt(MS_BIND), nil) == 0
                else { exit(71) }
                // Of the thread: the process may have stayed where it was.
                let table = MountTable(parsing: Array((Files.text("/proc/thread-self/mountinfo") ?? "").utf8))
                func hidden(_ name: String) throws -> [BytePath] {
                    let mount = try #require(table.entries.first { $0.mountPoint == BytePath(folder + name) })
                    let below = try #require(table.entries.first { $0.id == mount.parent })
                    guard case .names(let names, _) = try Overmounts.look(under: mount, below) else { return [] }
                    return names
                }
                let isTold = try hidden("/full") == [BytePath("loot")]
                let isSpared = try hidden("/empty").isEmpty
                // A folder bound onto itself hides nothing; bound onto another, it does.
                let isItself = try hidden("/itself").isEmpty
                let isOther = try hidden("/other") == [BytePath("loot")]
                for name in ["full", "empty", "itself", "other"] { umount2(folder + "/" + name, Int32(MNT_DETACH)) }
                _ = Files.removeTree(folder)
                exit(isTold && isSpared && isItself && isOther ? 0 : 72)
            }
        }
    }
}

/// A session that parks, and its capture.
private struct Parking {
    let made: JSONValue
    let pid: Int32
    let path: BytePath
    let bundle: VerifiedBundle
    private let host: Host
    private let folder: String

    init() throws {
        let sandbox = try Sandbox.of()
        folder = sandbox.folder
        var program = Program("/usr/bin/python3", ["-c", parker, folder])
        program.environment["SERVICE_API_TOKEN"] = "hunter2-value1"
        program.environment["LD_DEBUG_OUTPUT"] = "/tmp/told"
        let child = try sandbox.start(program)
        let ready = try child.line { $0.hasPrefix("ready") }
        made = try JSONReader.read(Array(ready.dropFirst("ready ".count).utf8))
        pid = child.id
        host = try Host()
        path = BytePath(folder + "/bundle")
        bundle = try captured(try request(members: [pid], on: host), host, at: folder + "/bundle")
    }

    func capture(as name: String) throws -> VerifiedBundle {
        try captured(try request(members: [pid], on: host), host, at: folder + "/" + name)
    }
}

private func request(members: [Int32], on host: Host) throws -> CaptureRequest {
    try CaptureRequest.ofNoCase(.volatile, members: members, on: host)
}

private func captured(_ request: CaptureRequest, _ host: Host, at path: String) throws -> VerifiedBundle {
    try request.take(on: host, to: path).1
}

private func lines(_ name: String, of bundle: VerifiedBundle) throws -> [JSONValue] { try bundle.lines(name) }
