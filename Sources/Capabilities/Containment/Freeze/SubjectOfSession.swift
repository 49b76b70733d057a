public import Base
public import Sessions

extension Subject {
    /// The subject that a resolved session is: its pin, and the user that the inventory declares as its own.
    public init(_ session: Session, included: [ProcessPin] = []) {
        self.init(pin: session.pin, dedicatedUser: session.agent?.uid, included: included)
    }
}
