public import Base
import Kernel

extension SessionResolver {
    /// Looks again at a session by its pins, never by name (RT34, RT35): the same pin with the members of now.
    ///
    /// Another boot, a cgroup that was made anew or a pid that was used again is ``Base/Failure/Code/changed``; when
    /// everything that is pinned has ended it is ``Base/Failure/Code/notFound``. A leader that ended while an own cgroup
    /// still stands is neither: the cgroup is the session.
    public func repin(_ pin: SessionPin, as locator: Locator? = nil) throws(Failure) -> Session {
        guard pin.bootID == host.bootID else {
            throw changed(pin, "the machine was started again since: its processes and cgroups are gone")
        }
        let groups = try groups(of: pin)
        let name = locator ?? groups.first.map { .cgroup($0.path) } ?? .pid(pin.leader?.pid ?? 0)
        var look = SessionLook(host: host, locator: name, agent: nil)
        if !groups.isEmpty { return try look.session(of: groups, pinned: pin.leader).pinned(as: pin) }
        guard let leader = pin.leader else {
            throw Failure(.notFound, "find the session again", on: words(pin), because: "its cgroups were removed")
        }
        do throws(Failure) {
            _ = try ProcessDirectory(leader, on: host)
        } catch {
            if error.code == .changed { throw changed(pin, "the pid \(leader.pid) was used again by another process") }
            throw Failure(
                error.code,
                "find the session again",
                on: words(pin),
                because: error.reason,
                errno: error.errno
            )
        }
        return try look.session(around: leader.pid).pinned(as: pin)
    }

    /// Those of the pinned cgroups that still stand. One that was made anew fails the whole.
    private func groups(of pin: SessionPin) throws(Failure) -> [Cgroup] {
        var groups: [Cgroup] = []
        for cgroup in pin.cgroups {
            do throws(Failure) {
                groups.append(try Cgroup(cgroup, on: host))
            } catch {
                if error.code == .changed { throw changed(pin, "a cgroup of it was removed and made anew") }
                guard error.code == .notFound else { throw error }
            }
        }
        return groups
    }

    private func changed(_ pin: SessionPin, _ reason: String) -> Failure {
        Failure(.changed, "find the session again", on: words(pin), because: reason, hint: "quell")
    }

    private func words(_ pin: SessionPin) -> String {
        let paths = pin.cgroups.map { String(decoding: $0.path.bytes, as: UTF8.self) }
        return (paths.prefix(1) + (pin.leader.map { ["pid \($0.pid)"] } ?? [])).joined(separator: ", ")
    }
}

extension Session {
    /// The same session under the pin that was shown first.
    func pinned(as pin: SessionPin) -> Session { copy(pin: pin, runtime: runtime) }

    /// The same session with what runs it.
    func run(by runtime: SessionRuntime.Kind) -> Session { copy(pin: pin, runtime: runtime) }

    private func copy(pin: SessionPin, runtime: SessionRuntime.Kind) -> Session {
        Session(
            locator: locator,
            pin: pin,
            cgroups: cgroups,
            leader: leader,
            members: members,
            guests: guests,
            owner: owner,
            runtime: runtime,
            sandbox: sandbox,
            agent: agent,
            failures: failures
        )
    }
}
