import Glibc
import Synchronization

/// A TCP listener of the test process itself on a free loopback port, which accepts and records whatever it is sent.
final class LoopbackListener: Sendable {
    /// The port it got.
    let port: UInt16
    private let socket: Int32
    private let accepted = Mutex<[Int32]>([])

    struct Problem: Error {}

    init() throws {
        let made = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard made >= 0 else { throw Problem() }
        _ = fcntl(made, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isReady = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(made, $0, length) == 0 && listen(made, 8) == 0 && getsockname(made, $0, &length) == 0
            }
        }
        guard isReady else {
            close(made)
            throw Problem()
        }
        socket = made
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit {
        accepted.withLock { $0.forEach { close($0) } }
        close(socket)
    }

    /// The listening socket, to hand to a child.
    var descriptor: Int32 { socket }

    /// Accepts one connection that is waiting, and gives its descriptor, which stays the listener's.
    func accept() -> Int32 {
        let number = Glibc.accept(socket, nil, nil)
        if number >= 0 { accepted.withLock { $0.append(number) } }
        return number
    }

    /// Accepts everything that waits and reads every byte that came; never blocks.
    func everythingReceived() -> [UInt8] {
        while waits(socket) { _ = accept() }
        var bytes: [UInt8] = []
        for connection in accepted.withLock({ $0 }) {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while waits(connection) {
                let count = read(connection, &buffer, buffer.count)
                if count <= 0 { break }
                bytes += buffer[..<count]
            }
        }
        return bytes
    }

    private func waits(_ number: Int32) -> Bool {
        var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }
}
