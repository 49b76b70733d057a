public import Base
public import Kernel

/// Reads the arguments of processes whose memory may answer never: a page of it can lie on a filesystem, or behind a fault,
/// that the process serves itself (RT7).
public enum ProcessArguments {
    /// Those that could be read; a process that held the reader up for longer than `patience` milliseconds, or has ended, is
    /// not among them.
    public static func read(
        _ pins: [ProcessPin],
        on host: Host,
        patience: Int32 = 200,
        by deadline: Deadline
    ) -> [ProcessPin: [BytePath]] {
        let reading = ImpatientReading<[BytePath]>(patience: patience) { pin in
            do throws(Failure) {
                return try ProcessDirectory(pin, on: host).arguments(limit: 65_536)
            } catch {
                return []
            }
        }
        return reading.read(pins, by: deadline).filter { !$0.value.isEmpty }
    }
}
