import Base
import Evidence
import Sessions
import Testing

@testable import Response

@Suite("which memory a capture is asked for")
struct MemoryWishTests {
    private func wish(
        _ profile: CaptureProfile,
        memory: String? = nil,
        plain: Bool? = nil
    ) throws(Failure) -> MemoryMode {
        let pin = SessionPin(bootID: "b", cgroups: [], leader: ProcessPin(pid: 7, startTicks: 8))
        let session = SessionReference(locator: .pid(7), pin: pin)
        let input = CaptureAction.Input(session: session, profile: profile.rawValue, memory: memory, plainMemory: plain)
        return try MemoryWish(input, profile).mode { [] }
    }

    @Test("volatile and standard take none unless told, full takes all")
    func defaults() throws {
        #expect(try wish(.volatile) == .nothing && wish(.standard) == .nothing)
        #expect(try wish(.full, plain: true) == .all)
        #expect(try wish(.full, memory: "none") == .nothing)
        #expect(try wish(.volatile, memory: "dirty", plain: true) == .dirty)
    }

    @Test("memory is refused where it would stand in the bundle for everybody, with the word that permits it")
    func refused() {
        for (profile, memory) in [(CaptureProfile.full, nil), (.volatile, "all"), (.standard, "dirty")] {
            #expect {
                try wish(profile, memory: memory)
            } throws: { error in
                let failure = error as? Failure
                return failure?.code == .refused && failure?.hint?.contains("--plain-memory") == true
            }
        }
    }

    @Test("a word that is no choice is told with the choices")
    func unknownWord() {
        #expect {
            try wish(.standard, memory: "some", plain: true)
        } throws: { error in
            (error as? Failure)?.hint?.contains("all, dirty, none") == true
        }
    }
}
