internal import Base
internal import Glibc
internal import Kernel

/// One argument of a command.
enum RedisArgument {
    case text(String)
    case secret(Secret)

    var count: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .secret(let secret): secret.count
        }
    }
}

/// A connection to an identified Redis server; there is no other way to make one, so that no secret can go anywhere else
/// (RT9).
struct RedisConnection: ~Copyable {
    private let connection: IdentifiedConnection
    private var unread: [UInt8] = []
    /// Who answers.
    var server: ServerIdentity { connection.server }

    /// Identifies the server, connects, and identifies the other end. Sends nothing.
    init(_ target: RevocationTarget, on host: Host, by deadline: Deadline) throws(Failure) {
        let found = try IdentifiedServer.find(target.expectation, on: host, by: deadline)
        connection = try found.connect(on: host, by: deadline)
    }

    /// Sends a command and reads its reply. An error reply is a value, not a failure.
    ///
    /// - Throws: `malformed` for bytes that are no reply, `timedOut`, or `system` when the connection broke. No failure
    ///   holds a byte of an argument or of a reply.
    mutating func call(_ arguments: [RedisArgument], by deadline: Deadline) throws(Failure) -> RESPValue {
        let command = RedisCommand(arguments)
        try connection.stream.send(command.bytes, by: deadline)
        while true {
            if case .value(let value, let count) = try RESPParser.parse(unread) {
                unread.removeFirst(count)
                return value
            }
            let chunk = try connection.stream.receive(atMost: 65_536, by: deadline)
            guard !chunk.isEmpty else {
                throw Failure(
                    .system,
                    "read a reply",
                    on: connection.stream.name,
                    because: "the server closed the connection"
                )
            }
            unread += chunk
        }
    }

    /// Sends a command of plain words.
    mutating func call(_ words: String..., by deadline: Deadline) throws(Failure) -> RESPValue {
        try call(words.map { .text($0) }, by: deadline)
    }
}

/// A command as bytes, overwritten when it goes: it may hold a secret.
private struct RedisCommand: ~Copyable {
    private let buffer: UnsafeMutableRawBufferPointer

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(buffer) }

    init(_ arguments: [RedisArgument]) {
        let heads = arguments.map { "$\($0.count)\r\n" }
        let start = "*\(arguments.count)\r\n"
        let size = zip(arguments, heads).reduce(start.utf8.count) { $0 + $1.0.count + $1.1.utf8.count + 2 }
        buffer = .allocate(byteCount: size, alignment: 1)
        var position = 0
        append(start, &position)
        for (argument, head) in zip(arguments, heads) {
            append(head, &position)
            switch argument {
            case .text(let text): append(text, &position)
            case .secret(let secret):
                secret.withBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[position...]).copyMemory(from: $0) }
                position += secret.count
            }
            append("\r\n", &position)
        }
    }

    private func append(_ text: String, _ position: inout Int) {
        for byte in text.utf8 {
            buffer[position] = byte
            position += 1
        }
    }

    deinit {
        if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
        buffer.deallocate()
    }
}
