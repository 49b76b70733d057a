/// Instructions of the packet program, made by hand. Registers: r6 the packet, r7 where it came in (0: it goes out), r8 the
/// protocol of the link, r1 to r4 the other end's address, r5 its port. Sources: linux/bpf.h, bpf-helpers(7).
///
/// One program serves both directions. A packet that a socket of the cgroup sends has come in by no interface; then the
/// destination is compared, else the source. A sender that forges its source is thus not let out.
struct PacketProgram {
    private enum Item {
        case instruction(UInt64)
        case jump(UInt64, to: String)
        case label(String)
    }

    private var items: [Item] = []
    private var labels = 0

    /// `r0 = 0; exit` for an empty list.
    static func dropping(except allowed: AllowList) -> [UInt64] {
        var program = PacketProgram()
        guard !allowed.isEmpty else {
            program.end(0)
            return program.resolved()
        }
        program.emit(moveRegister, 6, 1)
        program.emit(loadWord, 7, 6, offset: 36)
        program.emit(loadWord, 8, 6, offset: 16)
        program.jump(ifEqual, 8, 0x0008, to: "v4")
        program.jump(ifEqual, 8, 0xdd86, to: "v6")
        program.jump(always, 0, 0, to: "drop")
        program.fourth(allowed.entries.filter { $0.address.family == .v4 })
        program.sixth(allowed.entries.filter { $0.address.family == .v6 })
        program.items.append(.label("pass"))
        program.end(1)
        program.items.append(.label("drop"))
        program.end(0)
        return program.resolved()
    }

    /// An IPv4 packet: its header lies at r10 - 40, its ports at r10 - 44.
    private mutating func fourth(_ entries: [AllowList.Entry]) {
        items.append(.label("v4"))
        load(fromOffset: 0, count: 20, to: -40)
        emit(Self.loadByte, 9, 10, offset: -40)
        emit(Self.moveRegister, 2, 9)
        emit(Self.shiftRight, 2, value: 4)
        jump(Self.unlessEqual, 2, 4, to: "drop")
        emit(Self.and, 9, value: 15)
        emit(Self.shiftLeft, 9, value: 2)
        jump(Self.ifLess, 9, 20, to: "drop")
        // More fragments, or an offset: the ports may be elsewhere.
        emit(Self.loadHalf, 2, 10, offset: -34)
        jump(Self.ifAnyBit, 2, 0xff3f, to: "drop")
        emit(Self.loadByte, 2, 10, offset: -31)
        requireTransport()
        emit(Self.moveRegister, 2, 9)
        loadPorts()
        jump(Self.unlessEqual, 7, 0, to: "from4")
        emit(Self.loadWord, 1, 10, offset: -24)
        emit(Self.loadHalf, 5, 10, offset: -42)
        jump(Self.always, 0, 0, to: "compare4")
        items.append(.label("from4"))
        emit(Self.loadWord, 1, 10, offset: -28)
        emit(Self.loadHalf, 5, 10, offset: -44)
        items.append(.label("compare4"))
        compare(entries)
    }

    /// An IPv6 packet without extension headers.
    private mutating func sixth(_ entries: [AllowList.Entry]) {
        items.append(.label("v6"))
        load(fromOffset: 0, count: 40, to: -40)
        emit(Self.loadByte, 2, 10, offset: -40)
        emit(Self.shiftRight, 2, value: 4)
        jump(Self.unlessEqual, 2, 6, to: "drop")
        emit(Self.loadByte, 2, 10, offset: -34)
        requireTransport()
        emit(Self.moveValue, 2, value: 40)
        loadPorts()
        jump(Self.unlessEqual, 7, 0, to: "from6")
        for word in 0..<4 { emit(Self.loadWord, UInt64(word + 1), 10, offset: -16 + 4 * word) }
        emit(Self.loadHalf, 5, 10, offset: -42)
        jump(Self.always, 0, 0, to: "compare6")
        items.append(.label("from6"))
        for word in 0..<4 { emit(Self.loadWord, UInt64(word + 1), 10, offset: -32 + 4 * word) }
        emit(Self.loadHalf, 5, 10, offset: -44)
        items.append(.label("compare6"))
        compare(entries)
    }

    private mutating func compare(_ entries: [AllowList.Entry]) {
        for entry in entries {
            labels += 1
            let next = "next\(labels)"
            for word in 0..<entry.address.bytes.count / 4 {
                let part = entry.address.bytes[word * 4..<word * 4 + 4]
                jump(Self.unlessEqual, UInt64(word + 1), Self.word(part), to: next)
            }
            if let port = entry.port { jump(Self.unlessEqual, 5, UInt32(port.bigEndian), to: next) }
            jump(Self.always, 0, 0, to: "pass")
            items.append(.label(next))
        }
        jump(Self.always, 0, 0, to: "drop")
    }

    /// r2 holds the protocol.
    private mutating func requireTransport() {
        labels += 1
        jump(Self.ifEqual, 2, 6, to: "transport\(labels)")
        jump(Self.unlessEqual, 2, 17, to: "drop")
        items.append(.label("transport\(labels)"))
    }

    /// r2 holds where the transport's header begins.
    private mutating func loadPorts() {
        emit(Self.moveRegister, 1, 6)
        emit(Self.moveRegister, 3, 10)
        emit(Self.add, 3, value: UInt32(bitPattern: -44))
        emit(Self.moveValue, 4, value: 4)
        callLoad()
    }

    private mutating func load(fromOffset offset: UInt32, count: UInt32, to stack: Int32) {
        emit(Self.moveRegister, 1, 6)
        emit(Self.moveValue, 2, value: offset)
        emit(Self.moveRegister, 3, 10)
        emit(Self.add, 3, value: UInt32(bitPattern: stack))
        emit(Self.moveValue, 4, value: count)
        callLoad()
    }

    /// bpf_skb_load_bytes(packet, offset, stack, count); a packet that is too short is dropped.
    private mutating func callLoad() {
        emit(Self.call, value: 26)
        jump(Self.unlessEqual, 0, 0, to: "drop")
    }

    private mutating func end(_ verdict: UInt32) {
        emit(Self.moveValue, 0, value: verdict)
        emit(Self.exit)
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.enumerated().reduce(0) { $0 | UInt32($1.element) << UInt32($1.offset * 8) }
    }

    // MARK: Encoding (struct bpf_insn, little endian)

    private static let moveValue: UInt64 = 0xb7
    private static let moveRegister: UInt64 = 0xbf
    private static let add: UInt64 = 0x07
    private static let and: UInt64 = 0x57
    private static let shiftLeft: UInt64 = 0x67
    private static let shiftRight: UInt64 = 0x77
    private static let loadWord: UInt64 = 0x61
    private static let loadHalf: UInt64 = 0x69
    private static let loadByte: UInt64 = 0x71
    private static let always: UInt64 = 0x05
    // The 32-bit forms: the 64-bit ones would compare with a sign-extended value.
    private static let ifEqual: UInt64 = 0x16
    private static let unlessEqual: UInt64 = 0x56
    private static let ifLess: UInt64 = 0xa6
    private static let ifAnyBit: UInt64 = 0x46
    private static let call: UInt64 = 0x85
    private static let exit: UInt64 = 0x95

    private mutating func emit(
        _ code: UInt64,
        _ destination: UInt64 = 0,
        _ source: UInt64 = 0,
        offset: Int = 0,
        value: UInt32 = 0
    ) {
        let middle = UInt64(UInt16(truncatingIfNeeded: offset)) << 16
        items.append(.instruction(code | destination << 8 | source << 12 | middle | UInt64(value) << 32))
    }

    private mutating func jump(_ code: UInt64, _ register: UInt64, _ value: UInt32, to label: String) {
        items.append(.jump(code | register << 8 | UInt64(value) << 32, to: label))
    }

    private func resolved() -> [UInt64] {
        var places: [String: Int] = [:]
        var count = 0
        for item in items {
            if case .label(let name) = item { places[name] = count } else { count += 1 }
        }
        var instructions: [UInt64] = []
        for item in items {
            switch item {
            case .label: continue
            case .instruction(let word): instructions.append(word)
            case .jump(let word, let label):
                guard let place = places[label] else { preconditionFailure("the label \(label) stands nowhere") }
                let distance = UInt16(truncatingIfNeeded: place - instructions.count - 1)
                instructions.append(word | UInt64(distance) << 16)
            }
        }
        return instructions
    }
}
