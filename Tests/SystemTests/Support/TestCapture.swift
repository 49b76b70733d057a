import Base
import Bundles
import Evidence
import Kernel

extension CaptureRequest {
    /// A capture of these roots for nobody, of no case.
    static func ofTest(_ profile: CaptureProfile, _ trees: [PlannedTree]) -> CaptureRequest {
        var request = CaptureRequest(
            profile: profile,
            locator: BytePath("cgroup:/quell-test"),
            pins: [],
            subjects: [],
            seal: SealParts(
                name: "quell-test-1",
                caseID: "quell-test",
                number: 1,
                purpose: .incident,
                freeze: nil,
                authority: nil,
                tool: SealStatement.Tool(version: "test", digest: nil),
                responder: "tests",
                host: "here"
            )
        )
        request.trees = trees
        return request
    }

    /// Makes it in the folder of the test, unsigned, and verifies what came out.
    func captured(on host: Host, as name: String = "bundle") throws -> (SealedCapture, VerifiedBundle) {
        let path = BytePath(try Sandbox.of().folder + "/" + name)
        let sealed = try Acquisition(self, on: host).capture(to: path, sealedWith: nil)
        switch try UnverifiedBundle(at: path).verify(VerificationPolicy(trusting: [])) {
        case .consistent(let bundle): return (sealed, bundle)
        case .wrong(let finding): throw finding
        }
    }
}

extension VerifiedBundle {
    /// A file of JSON lines.
    func lines(_ name: String) throws -> [JSONValue] {
        try bytes(of: PayloadName(name)).split(separator: UInt8(ascii: "\n")).map { try JSONReader.read(Array($0)) }
    }
}
