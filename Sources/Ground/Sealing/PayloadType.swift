/// What a signature is about. Closed: each signed object of Quell has its own type inside the signed bytes, so that a
/// signature over one kind never verifies as another (RT32).
public enum PayloadType: String, Sendable, CaseIterable {
    /// The seal of a bundle: an in-toto Statement v1 (https://github.com/in-toto/attestation, spec/v1/envelope.md).
    case seal = "application/vnd.in-toto+json"
    /// An approval of a plan or an effect.
    case approval = "application/vnd.quell.approval+json"
    /// A playbook by its canonical bytes.
    case playbook = "application/vnd.quell.playbook+json"
    /// A hand-over of evidence.
    case custody = "application/vnd.quell.custody+json"
    /// What somebody else says about a sealed bundle: that they saw it, in which role.
    case countersignature = "application/vnd.quell.countersignature+json"
    /// The outcome of a drill.
    case drill = "application/vnd.quell.drill+json"
    // A checkpoint of a journal is a C2SP signed note, see ``Checkpoint``: its text never begins with `DSSEv1`.
}

extension PayloadType {
    /// The namespace of an SSHSIG about it, what `ssh-keygen -Y sign -n` takes: part of the signed bytes (RT32).
    public var sshNamespace: String {
        switch self {
        case .seal: "quell-seal"
        case .approval: "quell-approval"
        case .playbook: "quell-playbook"
        case .custody: "quell-custody"
        case .countersignature: "quell-countersignature"
        case .drill: "quell-drill"
        }
    }
}
