/// Pins as JSON without an encoder: exactly what their `encode(to:)` gives. A freeze writes them before it freezes, and an
/// encoder's generic types make the runtime search all conformances of the program first (docs/benchmarks.md).
extension SessionPin {
    /// What ``JSONEncoding/value(of:)`` gives.
    public var jsonValue: JSONValue {
        var cgroups: [JSONValue] = []
        for cgroup in self.cgroups { cgroups.append(cgroup.jsonValue) }
        guard let leader else { return ["bootID": .string(bootID), "cgroups": .array(cgroups)] }
        return ["bootID": .string(bootID), "cgroups": .array(cgroups), "leader": leader.jsonValue]
    }
}

extension CgroupPin {
    /// As an encoder would.
    public var jsonValue: JSONValue {
        ["hierarchy": .string(hierarchy), "path": path.jsonValue, "inode": JSONEncoding.integer(inode)]
    }
}

extension ProcessPin {
    /// As an encoder would.
    public var jsonValue: JSONValue { ["pid": .integer(Int64(pid)), "startTicks": JSONEncoding.integer(startTicks)] }
}

extension BytePath {
    /// As an encoder would: text, or an object with base64 where it is no UTF-8.
    public var jsonValue: JSONValue {
        if let text { return .string(text) }
        return ["bytes": .string(Base64.encode(bytes))]
    }
}

extension JSONEncoding {
    /// The value of pins, without an encoder.
    public static func list(of pins: [SessionPin]) -> JSONValue {
        var values: [JSONValue] = []
        for pin in pins { values.append(pin.jsonValue) }
        return .array(values)
    }
}
