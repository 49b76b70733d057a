import Base
import Kernel
import Testing

@testable import Sessions

@Suite("Containers of systemd-nspawn")
struct NspawnTests {
    private let inside = 4_026_532_500
    private static let folder = "/run/systemd/nspawn/propagate"

    /// systemd-nspawn (200) with its container (201, 202) on a machine whose /run is a filesystem of its own.
    private func machine(
        _ name: String = "web",
        launcher: String = "systemd-nspawn",
        root: String? = nil,
        device: String = "0:24",
        place: String = "/run/host/incoming"
    ) throws -> RecordedMachine {
        let machine = try RecordedMachine()
        try machine.process(200, parent: 1, start: 20, name: launcher, v2: "/machines/supervisor")
        let payload = "/machines/payload"
        try machine.process(201, parent: 200, start: 21, name: "(sd-stubinit)", v2: payload, pidNamespace: inside)
        try machine.process(202, parent: 201, start: 22, v2: payload, pidNamespace: inside)
        let own = "25 1 254:0 / / rw - ext4 /dev/vda rw\n26 25 0:24 / /run rw - tmpfs tmpfs rw\n"
        try machine.file("proc/self/mountinfo", own)
        let root = root ?? "/systemd/nspawn/propagate/\(name)"
        let mount = "40 39 \(device) \(root) \(place) ro master:11 - tmpfs tmpfs rw\n"
        try machine.file("proc/201/mountinfo", "39 1 254:0 /srv/web / rw - ext4 /dev/vda rw\n" + mount)
        return machine
    }

    @Test("a container is found by its machine's name, from all of its processes to its launcher, and by a bare name")
    func found() throws {
        let machine = try machine("web.example")
        for locator in ["nspawn:web.example", "web.example"] {
            let session = try resolve(locator, machine)
            #expect(session.leader?.pin.pid == 200 && session.members.map(\.pin.pid) == [200, 201, 202])
            #expect(session.runtime == .nspawn)
        }
        let lookup = NspawnLookup(host: try machine.host())
        #expect(lookup.name(of: [ProcessPin(pid: 201, startTicks: 21)]) == BytePath("web.example"))
        #expect(lookup.name(of: [ProcessPin(pid: 200, startTicks: 20)]) == nil)
    }

    @Test(
        "RT8 a name that the mount table does not give is not believed",
        arguments: [
            // Another folder of the host's, another filesystem, another place, deeper, and no launcher above.
            ("/srv/web/run/systemd/nspawn/propagate/db", "0:24", "/run/host/incoming", "systemd-nspawn"),
            ("/systemd/nspawn/propagate/db", "254:0", "/run/host/incoming", "systemd-nspawn"),
            ("/systemd/nspawn/propagate/db", "0:24", "/mnt", "systemd-nspawn"),
            ("/systemd/nspawn/propagate/x/db", "0:24", "/run/host/incoming", "systemd-nspawn"),
            ("/systemd/nspawn/propagate/db", "0:24", "/run/host/incoming", "bash"),
        ]
    )
    func planted(root: String, device: String, place: String, launcher: String) throws {
        let machine = try machine("db", launcher: launcher, root: root, device: device, place: place)
        expectFailure("nspawn:db", machine, .notFound, containing: "no container of systemd-nspawn of that name runs")
    }

    @Test("an unknown and a doubled name each get a sentence and a way on")
    func absent() throws {
        expectFailure("nspawn:web", try RecordedMachine(), .notFound, containing: "of that name runs")
        let machine = try machine()
        expectFailure("nspawn:db", machine, .notFound, containing: "of that name runs")
        try machine.process(300, parent: 1, start: 30, name: "systemd-nspawn")
        try machine.process(301, parent: 300, start: 31, name: "sh", pidNamespace: inside + 1)
        let mount = "40 39 0:24 /systemd/nspawn/propagate/web /run/host/incoming ro - tmpfs tmpfs rw\n"
        try machine.file("proc/301/mountinfo", mount)
        let failure = expectFailure("nspawn:web", machine, .ambiguous, containing: "2 containers of systemd-nspawn")
        #expect(failure?.hint == "quell freeze pid:201\nquell freeze pid:301")
    }

    @Test("a mount table of another form names nothing", arguments: ["", "garbage\n", "40 39\n"])
    func otherForm(text: String) throws {
        let machine = try machine()
        try machine.write("proc/201/mountinfo", text)
        expectFailure("nspawn:web", machine, .notFound, containing: "of that name runs")
    }
}
