import Base
import Glibc
import Kernel
import Testing

@testable import Containment

@Suite("supervisors")
struct SupervisorTests {
    private func setting(_ texts: String...) -> String? {
        var settings = UnitSettings()
        for text in texts { settings.apply(Array(text.utf8)) }
        return settings.reason
    }

    @Test("RT4 a unit that restarts or is watched is a supervisor; the last assignment wins")
    func units() {
        #expect(setting("[Service]\nRestart=always\n") == "Restart=always")
        #expect(
            setting("[Service]\n Restart = on-failure \nWatchdogSec=30\n") == "Restart=on-failure and WatchdogSec=30"
        )
        #expect(setting("[Service]\nRestart=always\n", "[Service]\nRestart=no\n") == nil)
        #expect(setting("[Service]\nRestart=always\n", "[Service]\nRestart=\n") == nil)
        #expect(setting("[Unit]\nRestart=always\n[Service]\nExecStart=/bin/true\n") == nil)
        #expect(setting("[Service]\nWatchdogSec=0\n") == nil)
        #expect(setting("") == nil)
    }

    @Test("RT4 a podman container with a policy is found in its store, another one's policy is not taken")
    func podman() {
        let one = String(repeating: "a", count: 64)
        let two = String(repeating: "b", count: 64)
        let store =
            "junk{\"id\":\"\(one)\",\"name\":\"x\"}\0\0{\"id\":\"\(two)\",\"restart_policy\":\"always\",\"id2\":1}tail"
        #expect(PodmanStore.setting(of: two, in: Array(store.utf8)) == "restart policy always")
        #expect(PodmanStore.setting(of: one, in: Array(store.utf8)) == nil)
        #expect(PodmanStore.setting(of: String(repeating: "c", count: 64), in: Array(store.utf8)) == nil)
        let health = "{\"id\":\"\(one)\",\"health_check_on_failure_action\":3}"
        #expect(PodmanStore.setting(of: one, in: Array(health.utf8)) == "a health check that acts on failure")
    }
}
