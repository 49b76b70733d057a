import Base
import CParked
import Glibc

/// What adjtimex(2) and the host's settings say of the clock besides its errors (R3).
enum ClockState {
    /// TIME_OK to TIME_ERROR. Source: adjtimex(2).
    private static let states = ["ok", "insertLeapSecond", "deleteLeapSecond", "leapSecond", "leapSecondDone", "error"]
    /// The STA_ bits by their numbers.
    private static let bits = [
        "pll", "ppsFrequency", "ppsTime", "fll", "insert", "delete", "unsynchronised", "frequencyHold", "ppsSignal",
        "ppsJitter", "ppsWander", "ppsError", "clockError", "nanoseconds", "modeFLL", "clockB",
    ]

    static func describe(in line: inout JSONObject) {
        var clock = quell_parked_clock()
        guard quell_parked_read_clock(&clock) == 0 else {
            line["ntpState"] = .string("unknown: errno \(errno)")
            return
        }
        let state = Int(clock.state)
        line["ntpState"] = .string(states.indices.contains(state) ? states[state] : String(state))
        let set = bits.indices.filter { clock.status & 1 << Int32($0) != 0 }.map { JSONValue.string(bits[$0]) }
        line["ntpStatus"] = .array(set)
        // 2^-16 parts per million, as the kernel counts it.
        line["frequencyScaledPPM"] = .integer(clock.frequency)
        line["tickMicroseconds"] = .integer(clock.tick_microseconds)
        line["taiOffsetSeconds"] = .integer(Int64(clock.tai_seconds))
    }

    /// What the host shows its users: where /etc/localtime leads, not followed. Nothing in a bundle is told in it.
    static func hostTimezone() -> JSONValue {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/etc/localtime", &buffer, buffer.count)
        return count > 0 ? BytePath(buffer[..<count]).json : .null
    }
}
