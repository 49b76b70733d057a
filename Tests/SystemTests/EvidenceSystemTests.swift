import Base
import Bundles
import Glibc
import Kernel
import Programs
import Sealing
import Synchronization
import Testing

@testable import Evidence

extension SystemTests {
    @Suite("evidence", .kernel(.root, .cgroup2))
    struct EvidenceSystemTests {
        @Test(
            "a frozen session is captured whole: its deleted file, its memfd, its socket, and it stood still",
            .sandbox
        )
        func frozen() throws {
            let sandbox = try Sandbox.of()
            let gone = sandbox.folder + "/gone"
            try sandbox.testkit("holdfile", gone, in: .unified)
            try sandbox.testkit("memfd", in: .unified)
            try sandbox.testkit("sleepers", "3", "--threads", "4", in: .unified)
            let host = try Host()
            let group = try Cgroup(BytePath("/\(sandbox.name)"), in: try #require(host.unified))
            let control = try FreezerControl(group)
            try control.freeze()
            #expect(try control.wait(for: .frozen, until: Deadline(after: .seconds(2))))
            var request = try request(.volatile, members: group.processes(), on: host)
            request.pins = [SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: nil)]
            request.frozenCgroups = [group.pin]
            request.seal.freeze = FreezeProof(confirmed: Instant.now(), processes: request.subjects.count)
            let (sealed, bundle) = try capture(request, host)
            #expect(sealed.stillness.breaks == [])
            #expect(sealed.stillness.threads >= request.subjects.count + 4)
            #expect(bundle.statement.freeze?.unbroken == true)
            #expect(bundle.statement.freeze?.lastSeen == sealed.stillness.last)
            let records = try lines("data/recovered/index.jsonl", of: bundle)
            #expect(
                records.contains { $0["path"]?.string == gone + " (deleted)" && $0["outcome"]?.string == "collected" }
            )
            #expect(records.contains { $0["kind"]?.string == "memfd" && $0["outcome"]?.string == "collected" })
            #expect(try lines("data/processes.jsonl", of: bundle).count == request.subjects.count)
            #expect(sealed.counts.failed == 0)
        }

        @Test("RT28 a thaw between the start and the seal stands in the signed predicate", .sandbox)
        func thawedBetween() throws {
            let (host, group) = try sandboxGroup("hog", "1")
            let control = try FreezerControl(group)
            try control.freeze()
            #expect(try control.wait(for: .frozen, until: Deadline(after: .seconds(2))))
            var request = try request(.volatile, members: group.processes(), on: host)
            request.frozenCgroups = [group.pin]
            request.seal.freeze = FreezeProof(confirmed: Instant.now(), processes: 1)
            // The journal is asked for last, right before the seal: long after the first look.
            request.journal = { () throws(Failure) in
                try control.thaw()
                poll(nil, 0, 20)
                try control.freeze()
                _ = try control.wait(for: .frozen, until: Deadline(after: .seconds(2)))
                return nil
            }
            let (sealed, bundle) = try capture(request, host)
            #expect(!sealed.stillness.isUnbroken)
            #expect(bundle.statement.freeze?.unbroken == false)
            #expect(bundle.statement.freeze?.breaks?.contains { $0.contains("CPU time") } == true)
            #expect(bundle.statement.freeze?.lastSeen == nil)
        }

        @Test("RT5 the files of an exited leader are read through a living thread", .sandbox)
        func zombieLeader() throws {
            let (host, group) = try sandboxGroup("zombieleader")
            let request = try request(.volatile, members: group.processes(), on: host)
            let (_, bundle) = try capture(request, host)
            let zombie = try lines("data/processes.jsonl", of: bundle).first { $0["state"]?.string == "Z" }
            #expect(zombie != nil)
            #expect(zombie?["exe"]?.string?.hasSuffix("quell-testkit") == true)
            #expect(zombie?["argv"]?.array?.contains("zombieleader") == true)
            #expect(zombie?["openFiles"]?.array?.isEmpty == false)
        }

        @Test(
            "RT24 marks of an upper layer that the kernel alone can set count, those that a container can set do not",
            .sandbox
        )
        func layers() throws {
            let sandbox = try Sandbox.of()
            let script = """
                import os, sys
                os.chdir(sys.argv[1])
                for name in ['lower/gone', 'lower/hidden/a', 'lower/kept/a', 'lower/forged', 'lower/touched', 'lower/link',
                             'upper/new', 'upper/hidden/b', 'upper/kept/b', 'upper/forged', 'upper/touched']:
                    os.makedirs(os.path.dirname(name), exist_ok=True)
                    open(name, 'w').write('1234')
                os.mknod('upper/gone', 0o20000, 0)
                os.setxattr('upper/hidden', 'trusted.overlay.opaque', b'y')
                os.setxattr('upper/kept', 'user.overlay.opaque', b'y')
                open('upper/forged', 'w').write('4321')
                os.chmod('upper/touched', 0o600)
                for name in ['forged', 'touched']:
                    for layer in ['lower/', 'upper/']: os.utime(layer + name, (1, 1))
                """
            let made = try Program("/usr/bin/python3", ["-c", script, sandbox.folder]).run()
            #expect(made.status == 0, "\(made.errorText)")
            var plan = request(.standard, workspace: sandbox.folder + "/upper")
            let upper = PlannedTree(name: "upper", path: BytePath(sandbox.folder + "/upper"), role: .upper)
            plan.trees = [upper]
            plan.changes = .compare(upper: upper, lowers: [BytePath(sandbox.folder + "/lower")])
            let (sealed, bundle) = try capture(plan, try Host())
            let lines = try lines("data/changes.jsonl", of: bundle)
            var told: [String: String] = [:]
            for line in lines { told[line["path"]?.string ?? ""] = line["change"]?.string }
            let expected = [
                "gone": "deleted", "hidden": "replaced", "hidden/b": "added", "kept/b": "added", "new": "added",
                "forged": "changed", "touched": "metadata",
            ]
            #expect(told == expected)
            // Size and time are those of the image: only the content tells.
            #expect(lines.first { $0["path"]?.string == "forged" }?["compared"]?.string == "content")
            #expect(sealed.counts.failed == 0)
        }

        @Test("device nodes and whiteouts are recorded and never opened", .sandbox)
        func devices() throws {
            let sandbox = try Sandbox.of()
            let workspace = sandbox.folder + "/w"
            mkdir(workspace, 0o755)
            #expect(mknod(workspace + "/whiteout", S_IFCHR, 0) == 0)
            // The watchdog: opening it would reboot the machine in a minute.
            #expect(mknod(workspace + "/watchdog", S_IFCHR | 0o600, dev_t(10 << 8 | 130)) == 0)
            #expect(mknod(workspace + "/disk", S_IFBLK | 0o600, dev_t(240 << 8 | 17)) == 0)
            let host = try Host()
            let (sealed, bundle) = try capture(request(.standard, workspace: workspace), host)
            let items = try lines("data/collection.jsonl", of: bundle)
            func item(_ name: String) -> JSONValue? { items.first { $0["path"]?.string == name } }
            #expect(item("whiteout")?["special"]?.string == "0:0" && item("whiteout")?["type"]?.string == "char")
            #expect(item("watchdog")?["special"]?.string == "10:130")
            #expect(item("disk")?["type"]?.string == "block")
            #expect(sealed.counts.failed == 0)
        }

        @Test("RT24 what is mounted inside a root is metadata only", .sandbox)
        func otherMounts() async {
            await #expect(processExitsWith: .success) {
                guard enterOwnMountNamespace() == 0 else { exit(70) }
                let folder = try #require(Files.makeTemporaryFolder("/tmp/quell-test-mounts-XXXXXX"))
                let workspace = folder + "/w"
                mkdir(workspace, 0o755)
                mkdir(workspace + "/elsewhere", 0o755)
                mkdir(workspace + "/here", 0o755)
                close(open(workspace + "/file", O_WRONLY | O_CREAT, 0o600))
                guard mount("tmpfs", workspace + "/elsewhere", "tmpfs", 0, nil) == 0,
                    mount("/etc/passwd", workspace + "/file", nil, UInt(MS_BIND), nil) == 0
                else { exit(71) }
                close(open(workspace + "/elsewhere/inside", O_WRONLY | O_CREAT, 0o600))
                let host = try Host()
                let plan = request(.standard, workspace: workspace)
                let sealed = try Acquisition(plan, on: host).capture(to: BytePath(folder + "/b"), sealedWith: nil)
                let account = Files.text(folder + "/b/data/collection.jsonl") ?? ""
                let mtree = Files.text(folder + "/b/data/files/workspace.mtree") ?? ""
                umount2(workspace + "/elsewhere", Int32(MNT_DETACH))
                umount2(workspace + "/file", Int32(MNT_DETACH))
                _ = Files.removeTree(folder)
                guard sealed.counts.skipped == 3 + sealed.notAsked else { exit(72) }
                guard account.contains("it is on another mount"), !account.contains("inside") else { exit(73) }
                exit(mtree.contains("./elsewhere") && !mtree.contains("inside") ? 0 : 74)
            }
        }

        @Test("a disk without room for a seal ends the capture with what and how much, named unsealed", .sandbox)
        func fullDisk() async {
            await #expect(processExitsWith: .success) {
                guard enterOwnMountNamespace() == 0 else { exit(70) }
                let folder = try #require(Files.makeTemporaryFolder("/tmp/quell-test-full-XXXXXX"))
                mkdir(folder + "/store", 0o755)
                mkdir(folder + "/w", 0o755)
                guard mount("tmpfs", folder + "/store", "tmpfs", 0, "size=32k") == 0 else { exit(71) }
                let noise = open(folder + "/w/noise", O_WRONLY | O_CREAT, 0o600)
                let random = (0..<(4 << 20)).map { _ in UInt8.random(in: 0...255) }
                guard write(noise, random, random.count) == random.count else { exit(72) }
                close(noise)
                let host = try Host()
                var failure: Failure?
                do throws(Failure) {
                    let plan = request(.standard, workspace: folder + "/w")
                    _ = try Acquisition(plan, on: host).capture(to: BytePath(folder + "/store/b"), sealedWith: nil)
                } catch {
                    failure = error
                }
                let isNamed = access(folder + "/store/b.unsealed/data", F_OK) == 0
                let isGone = access(folder + "/store/b", F_OK) != 0
                let hasSeal = access(folder + "/store/b.unsealed/seal.dsse.json", F_OK) == 0
                umount2(folder + "/store", Int32(MNT_DETACH))
                _ = Files.removeTree(folder)
                guard let failure, failure.errno == ENOSPC else { exit(73) }
                guard failure.reason.contains("bytes of content had been read"), failure.hint != nil else { exit(74) }
                exit(isNamed && isGone && !hasSeal ? 0 : 75)
            }
        }

        @Test("RT30 a leased file is read once its holder lets go, and is failed when he does not", .sandbox)
        func leases() throws {
            let sandbox = try Sandbox.of()
            let workspace = sandbox.folder + "/w"
            mkdir(workspace, 0o755)
            for name in ["kind", "stubborn", "zzz"] {
                #expect(Files.write("content of \(name)", to: workspace + "/" + name) == 0)
            }
            let script = """
                import fcntl, signal, sys, os
                kind = os.open('kind', os.O_RDWR); stubborn = os.open('stubborn', os.O_RDWR)
                def let_go(*_):
                    try: fcntl.fcntl(kind, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                    except OSError: pass
                signal.signal(signal.SIGIO, let_go)
                for fd in (kind, stubborn): fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                print('ready', flush=True)
                while True: signal.pause()
                """
            let holder = try sandbox.start(
                Program("/usr/bin/python3", ["-c", "import os; os.chdir('\(workspace)')\n" + script])
            )
            _ = try holder.line { $0.hasPrefix("ready") }
            let host = try Host()
            var acquisition = Acquisition(request(.standard, workspace: workspace), on: host)
            acquisition.leasePatience = .milliseconds(700)
            let sealed = try acquisition.capture(to: BytePath(sandbox.folder + "/b"), sealedWith: nil)
            let account = Files.text(sandbox.folder + "/b/data/collection.jsonl") ?? ""
            let items = try account.split(separator: "\n").map { try JSONReader.read(Array($0.utf8)) }
            func item(_ name: String) -> JSONValue? { items.first { $0["path"]?.string == name } }
            #expect(item("kind")?["outcome"]?.string == "collected")
            #expect(item("stubborn")?["outcome"]?.string == "failed")
            #expect(item("stubborn")?["errno"]?.integer == Int64(EAGAIN))
            #expect(item("zzz")?["outcome"]?.string == "collected")
            #expect(sealed.counts.addUp)
        }

        @Test("a folder of 100,000 entries takes under 100 MB and each entry is told", .sandbox)
        func wide() throws {
            let sandbox = try Sandbox.of()
            let workspace = sandbox.folder + "/w"
            mkdir(workspace, 0o755)
            for number in 0..<100_000 { close(open("\(workspace)/entry-\(number)", O_WRONLY | O_CREAT, 0o600)) }
            let host = try Host()
            let before = anonymousKilobytes()
            let highest = Atomic<Int>(before)
            let control = CaptureControl(report: { _ in
                let now = anonymousKilobytes()
                if now > highest.load(ordering: .relaxed) { highest.store(now, ordering: .relaxed) }
            })
            let sealed = try Acquisition(request(.standard, workspace: workspace), on: host, control: control)
                .capture(to: BytePath(sandbox.folder + "/b"), sealedWith: nil)
            #expect(sealed.counts.planned == 100_000 + 1 + 24)
            #expect(highest.load(ordering: .relaxed) - before < 100_000)
        }
    }
}

private func anonymousKilobytes() -> Int {
    let status = Files.text("/proc/self/status") ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
    return Int(line.filter { $0 >= "0" && $0 <= "9" }) ?? 0
}

private func request(_ profile: CaptureProfile, members: [Int32], on host: Host) throws -> CaptureRequest {
    var plan = request(profile, workspace: "/nonexistent")
    plan.trees = []
    plan.subjects = try members.map { pid in
        CaptureSubject(pin: try ProcessDirectory(pid, on: host).stat().pin, membership: .member)
    }
    return plan
}

private func request(_ profile: CaptureProfile, workspace: String) -> CaptureRequest {
    let tree = PlannedTree(name: "workspace", path: BytePath(workspace), role: .workspace)
    return .ofTest(profile, [tree])
}

private func capture(_ plan: CaptureRequest, _ host: Host) throws -> (SealedCapture, VerifiedBundle) {
    try plan.captured(on: host)
}

private func lines(_ name: String, of bundle: VerifiedBundle) throws -> [JSONValue] { try bundle.lines(name) }
