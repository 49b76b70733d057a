import Base
import Documents
import Engine

/// Fits what a step gives to what its action takes, and makes the action's input.
struct InputBinding {
    let names: NameScope
    let descriptor: ActionDescriptor

    /// The whole input. An input that the step does not give takes the value of the parameter that has its name and its
    /// type, so that `session` and `reason` need not be written at every step.
    func input() throws(Failure) -> JSONValue {
        var object = JSONObject()
        for entry in names.step.with {
            guard let field = descriptor.inputs.first(where: { $0.name == entry.key }) else {
                throw entry.keyPlace.failure(
                    "\(descriptor.name) has no input \"\(entry.key)\"",
                    fix: NearestWord.fix(for: entry.key, among: descriptor.inputs.map(\.name), plural: "inputs")
                )
            }
            object[field.name] = try value(entry.value, for: field)
        }
        for field in descriptor.inputs where object[field.name] == nil {
            if let parameter = implicit(field) {
                object[field.name] = names.values[field.name] ?? parameter.sample
            } else if field.isRequired {
                throw names.step.place.failure(
                    "\(descriptor.name) needs the input \"\(field.name)\", \(field.kind.words)",
                    fix: "add \"with: { \(field.name): ... }\", or a parameter of that name"
                )
            }
        }
        return .object(object)
    }

    /// The parameter that an input which is not given takes its value from.
    func implicit(_ field: Field) -> PlaybookParameter? {
        guard let parameter = names.document.parameter(field.name), parameter.kind.fits(field.kind) else { return nil }
        return parameter
    }

    private func value(_ document: Document, for field: Field) throws(Failure) -> JSONValue {
        switch document.content {
        case .scalar(let scalar): return try value(document, scalar, for: field)
        case .sequence(let items):
            guard field.kind == .list else { throw mismatch(document, field) }
            var values: [JSONValue] = []
            for item in items { values.append(try any(item)) }
            return .array(values)
        case .mapping:
            guard field.kind == .object else { throw mismatch(document, field) }
            return try any(document)
        }
    }

    private func value(_ document: Document, _ scalar: DocumentScalar, for field: Field) throws(Failure) -> JSONValue {
        let template = try Template(document, scalar)
        switch template.pieces.first {
        case .parameter(let name) where template.pieces.count == 1:
            let (value, kind) = try names.parameter(name, at: document.place)
            if kind.fits(field.kind) { return value }
            guard field.kind == .text, let text = text(of: value, kind) else {
                throw document.place.failure(
                    "\(field.name) is \(field.kind.words), parameter \"\(name)\" is \(kind.words)"
                )
            }
            return .string(text)
        case .output(let step, let output) where template.pieces.count == 1:
            let found = try names.output(step, output, at: document.place)
            guard found.kind.fits(field.kind) else {
                throw document.place.failure(
                    "\(field.name) is \(field.kind.words), steps.\(step).\(output) is \(found.kind.words)"
                )
            }
            return OutputReference(step: step, field: output).json
        case .text(let text) where template.pieces.count == 1:
            return try literal(document, text, for: field)
        default:
            guard field.kind == .text || field.kind == .session else { throw mismatch(document, field) }
            return .string(try joined(template, document))
        }
    }

    private func literal(_ document: Document, _ text: String, for field: Field) throws(Failure) -> JSONValue {
        switch field.kind {
        case .integer: return .integer(Int64(try document.int()))
        case .number:
            if case .scalar(let scalar) = document.content, scalar.tag == .float, let number = Double(scalar.text) {
                return .number(number)
            }
            return .integer(Int64(try document.int()))
        case .flag: return .bool(try document.bool())
        case .duration: return .integer(try document.duration().wholeNanoseconds)
        case .text, .session:
            _ = try document.string()
            guard field.choices.isEmpty || field.choices.contains(text) else {
                throw document.place.failure(
                    "\(descriptor.name) knows no \(field.name) \"\(text)\"",
                    fix: NearestWord.fix(for: text, among: field.choices, plural: "values")
                )
            }
            return .string(text)
        case .list, .object: throw mismatch(document, field)
        }
    }

    /// A value within a list or a mapping: as YAML means it, with references.
    private func any(_ document: Document) throws(Failure) -> JSONValue {
        switch document.content {
        case .sequence(let items):
            var values: [JSONValue] = []
            for item in items { values.append(try any(item)) }
            return .array(values)
        case .mapping(let entries):
            var object = JSONObject()
            for entry in entries { object[entry.key] = try any(entry.value) }
            return .object(object)
        case .scalar(let scalar):
            let template = try Template(document, scalar)
            if template.pieces.count == 1 {
                switch template.pieces[0] {
                case .text: return document.plainJSON
                case .parameter(let name): return try names.parameter(name, at: document.place).0
                case .output(let step, let field):
                    _ = try names.output(step, field, at: document.place)
                    return OutputReference(step: step, field: field).json
                }
            }
            return .string(try joined(template, document))
        }
    }

    private func joined(_ template: Template, _ document: Document) throws(Failure) -> String {
        var text = ""
        for piece in template.pieces {
            switch piece {
            case .text(let part): text += part
            case .parameter(let name):
                let (value, kind) = try names.parameter(name, at: document.place)
                guard let part = self.text(of: value, kind) else {
                    throw document.place.failure(
                        "parameter \"\(name)\" is \(kind.words) and cannot stand within a text"
                    )
                }
                text += part
            case .output(let step, let field):
                throw document.place.failure(
                    "steps.\(step).\(field) must stand alone",
                    fix: "give it as the whole value"
                )
            }
        }
        return text
    }

    private func text(of value: JSONValue, _ kind: Field.Kind) -> String? {
        switch (value, kind) {
        case (.integer(let nanoseconds), .duration): "\(nanoseconds / 1_000_000)ms"
        case (.string(let text), _): text
        case (.integer(let number), _): String(number)
        case (.bool(let flag), _): String(flag)
        default: nil
        }
    }

    private func mismatch(_ document: Document, _ field: Field) -> Failure {
        document.expected("\(field.kind.words) for \(field.name)")
    }
}

extension Document {
    /// What YAML means, without references.
    var plainJSON: JSONValue {
        switch content {
        case .sequence(let items): return .array(items.map(\.plainJSON))
        case .mapping(let entries):
            var object = JSONObject()
            for entry in entries { object[entry.key] = entry.value.plainJSON }
            return .object(object)
        case .scalar(let scalar):
            switch scalar.tag {
            case .null: return .null
            case .bool: return .bool(scalar.text.lowercased() == "true")
            case .int: return Int64(scalar.text).map { .integer($0) } ?? .string(scalar.text)
            case .float, .string: return .string(scalar.text)
            }
        }
    }
}
