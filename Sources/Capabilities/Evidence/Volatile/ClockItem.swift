import Base
import Glibc
import Kernel

/// data/clock.json: how the clocks of this machine stood to one another and to their reference (R3).
enum ClockItem {
    /// One reading. The error bounds are those that the kernel has from whatever disciplines it (adjtimex(2)).
    static func reading() -> JSONValue {
        let boot = BootClock.sampled()
        var line = JSONObject()
        line["wall"] = .string("\(Instant.now())")
        line["monotonicNanoseconds"] = .string(String(Deadline.monotonicNow()))
        line["boottimeNanoseconds"] = .string(String(nanoseconds(CLOCK_BOOTTIME)))
        line["bootedAt"] = .string("\(boot.bootedAt)")
        line["bootedAtUncertaintyNanoseconds"] = .integer(boot.uncertainty.wholeNanoseconds)
        do throws(Failure) {
            let discipline = try ClockDiscipline.now()
            line["synchronised"] = .bool(discipline.isSynchronised)
            line["offsetNanoseconds"] = .integer(discipline.offset.wholeNanoseconds)
            line["maximumErrorNanoseconds"] = .integer(discipline.maximumError.wholeNanoseconds)
            line["estimatedErrorNanoseconds"] = .integer(discipline.estimatedError.wholeNanoseconds)
        } catch {
            line["discipline"] = .string("unknown: \(error.reason)")
        }
        ClockState.describe(in: &line)
        return .object(line)
    }

    /// The file: at the start and at the seal.
    static func document(began: JSONValue, sealed: JSONValue) -> JSONValue {
        ["timezone": "UTC", "hostTimezone": ClockState.hostTimezone(), "began": began, "sealed": sealed]
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
