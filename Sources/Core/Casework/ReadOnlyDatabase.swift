import Base
import GRDB
import Glibc

/// The file of a case where nothing can be written: evidence on a read-only mount, a store on a full disk.
///
/// SQLite reads a database with a WAL only with an index of the WAL beside it, which it would have to make. So where the
/// index is there it is used; where there is no WAL, or an empty one, the file alone is read as one that nobody changes; and
/// a WAL without an index cannot be used, and is told, because the newest entries stand in it.
/// Sources: https://www.sqlite.org/wal.html#read_only_databases, https://www.sqlite.org/uri.html.
struct ReadOnlyDatabase {
    private let path: BytePath
    private let text: String

    init(at path: BytePath, _ text: String) {
        self.path = path
        self.text = text
    }

    func open(_ busyTimeout: Duration) throws(Failure) -> DatabaseQueue {
        let hasEntriesBeside = size(of: "-wal") ?? 0 > 0
        let hasIndex = size(of: "-shm") != nil
        guard !hasEntriesBeside || hasIndex else {
            throw Failure(
                .system,
                "read the case",
                on: "\(path)",
                because: "its newest entries stand in case.sqlite-wal, "
                    + "which cannot be used where nothing can be written",
                hint: "copy the folder of the case to a disk that can be written"
            )
        }
        var configuration = JournalDatabase.configuration(busyTimeout)
        configuration.readonly = true
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA trusted_schema = OFF") }
        do {
            let name = hasEntriesBeside ? text : "file:\(escaped)?immutable=1"
            return try DatabaseQueue(path: name, configuration: configuration)
        } catch {
            throw JournalDatabase.failure("read the case", path, error)
        }
    }

    /// The path as it stands in a URI.
    private var escaped: String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"):
                String(UnicodeScalar(byte))
            default: "%" + Hex.encode([byte])
            }
        }
        .joined()
    }

    private func size(of suffix: String) -> Int? {
        var status = stat()
        let beside = BytePath(path.bytes + Array(suffix.utf8))
        return beside.withCString { lstat($0, &status) } == 0 ? Int(status.st_size) : nil
    }
}
