import Base
import Synchronization

/// What another host has free, asked for again when as much was written as makes a difference. Looking at it waits for nobody.
final class RemoteRoom: Sendable {
    private static let stride: UInt64 = 8 << 20

    private struct State: Sendable {
        var known: UInt64?
        /// Bytes that were written since the last answer.
        var spent: UInt64 = 0
        /// Bytes that were written since the last question.
        var unasked: UInt64 = 0
    }

    private let folder: BytePath
    private let connection: SFTPConnection
    private let state: Mutex<State>

    /// Asks for the first time.
    init(of folder: BytePath, through connection: SFTPConnection) {
        self.folder = folder
        self.connection = connection
        state = Mutex(State(known: connection.room(folder.bytes)))
    }

    /// Bytes; `nil` when it does not say.
    var left: UInt64? { state.withLock { state in state.known.map { $0 - min($0, state.spent) } } }

    /// Takes note of bytes that were written there. A question without an answer leaves what was known, less what was written.
    func spend(_ bytes: UInt64) {
        let spent = state.withLock { state -> UInt64? in
            state.spent += bytes
            state.unasked += bytes
            guard state.known != nil, state.unasked >= RemoteRoom.stride else { return nil }
            state.unasked = 0
            return state.spent
        }
        guard let spent, let known = connection.room(folder.bytes) else { return }
        state.withLock { state in
            state.known = known
            state.spent -= min(state.spent, spent)
        }
    }
}
