import Base
import Bundles
import Evidence
import Kernel

/// Captures that no case asked for: sealed by nobody, verified and read back.
extension CaptureRequest {
    /// Asks for the processes with these pids, each a member of the session.
    static func ofNoCase(
        _ profile: CaptureProfile,
        members: [Int32] = [],
        on host: Host,
        locator: String = "cgroup:/quell-test",
        pins: [SessionPin] = []
    ) throws(Failure) -> CaptureRequest {
        var subjects: [CaptureSubject] = []
        for pid in members {
            subjects.append(CaptureSubject(pin: try ProcessDirectory(pid, on: host).stat().pin, membership: .member))
        }
        var request = CaptureRequest.ofTest(profile, [])
        (request.locator, request.pins, request.subjects) = (BytePath(locator), pins, subjects)
        return request
    }

    /// Takes it into the new directory `path`.
    func take(on host: Host, to path: String) throws -> (SealedCapture, VerifiedBundle) {
        let sealed = try Acquisition(self, on: host).capture(to: BytePath(path), sealedWith: nil)
        switch try UnverifiedBundle(at: BytePath(path)).verify(VerificationPolicy(trusting: [])) {
        case .consistent(let bundle): return (sealed, bundle)
        case .wrong(let finding): throw finding
        }
    }
}
