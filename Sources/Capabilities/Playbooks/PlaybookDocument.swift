public import Base
public import Documents
public import Engine

/// A playbook as it was written, every part with its place. Its form is checked; whether its steps fit the actions that
/// exist is for ``lint(against:)``.
public struct PlaybookDocument: Sendable {
    /// Its name: a to z, 0 to 9 and dashes.
    public let name: String
    /// Its version, three numbers.
    public let version: String
    /// One line for people.
    public let title: String
    /// What it answers, as ids of public catalogues such as `AML.T0053`.
    public let maps: [String]
    /// What a run may set, in the order written.
    public let parameters: [PlaybookParameter]
    /// The steps in the order written.
    public let steps: [PlaybookStep]
    /// Where it begins.
    public let place: Place

    /// The parameter of that name.
    public func parameter(_ name: String) -> PlaybookParameter? { parameters.first { $0.name == name } }

    /// The step of that id.
    public func step(_ id: String) -> PlaybookStep? { steps.first { $0.id.value == id } }
}

/// A word of a playbook with its place.
public struct Located<Value: Sendable & Hashable>: Sendable, Hashable {
    /// The word.
    public let value: Value
    /// Where it stands.
    public let place: Place
}

/// One thing that a run may set.
public struct PlaybookParameter: Sendable {
    /// Its name.
    public let name: String
    /// What may stand there.
    public let kind: Field.Kind
    /// Whether a run must give it.
    public let isRequired: Bool
    /// Its value when a run gives none.
    public let defaultValue: JSONValue?
    /// Where it is declared.
    public let place: Place
}

/// One step as it was written.
public struct PlaybookStep: Sendable {
    /// Its id.
    public let id: Located<String>
    /// The name of its action.
    public let action: Located<String>
    /// The inputs that are given.
    public let with: [DocumentEntry]
    /// Steps that must have succeeded or partly succeeded.
    public let needs: [Located<String>]
    /// Steps that must have ended.
    public let after: [Located<String>]
    /// Whether it runs at all.
    public let when: WhenText?
    /// How long it may take.
    public let timeout: Duration?
    /// How often it is tried again.
    public let retries: Int
    /// What its failure does to the run.
    public let onFailure: StepGraph.OnFailure
    /// Where it begins.
    public let place: Place
}

/// A `when` expression: its syntax is checked when the playbook is read.
public struct WhenText: Sendable {
    /// As it was written.
    public let text: String
    let expression: Expression
    let source: ExpressionSource
}
