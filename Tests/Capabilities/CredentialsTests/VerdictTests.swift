import Base
import Testing

@testable import Credentials

@Suite("verdict")
struct VerdictTests {
    /// Every combination of what can be seen before, asked and seen after.
    static let table: [(before: Sighting, asked: Bool, after: Sighting)] = sightings.flatMap { before in
        sightings.flatMap { after in [(before, true, after), (before, false, after)] }
    }

    private static let sightings: [Sighting] = Trial.allCases.flatMap { trial in
        Standing.allCases.flatMap { standing in
            [0, 1, nil].map { Sighting(trial: trial, standing: standing, sessions: $0) }
        }
    }

    @Test("the table has every combination")
    func whole() {
        #expect(Self.table.count == 36 * 36 * 2)
    }

    @Test(
        "dead means accepted before, asked, refused after, disabled at the provider, and no session left: nothing less"
    )
    func dead() {
        for row in Self.table {
            let isDead = Verdict(before: row.before, asked: row.asked, after: row.after) == .dead
            let isOff = row.after.standing == .disabled || row.after.standing == .missing
            let isGone = isOff && row.after.sessions == 0 && row.after.trial == .refused
            let isEarned = row.before.trial == .accepted && row.asked && isGone
            #expect(isDead == isEarned, "\(row)")
        }
    }

    @Test("an accepted password or an open session afterwards is still alive, whatever the provider says")
    func alive() {
        for row in Self.table where row.after.trial == .accepted || row.after.sessions == 1 {
            #expect(Verdict(before: row.before, asked: row.asked, after: row.after) == .stillAlive, "\(row)")
        }
    }

    @Test("an order that was taken and not followed is still alive")
    func notFollowed() {
        for row in Self.table where row.asked && row.after.standing == .enabled {
            #expect(Verdict(before: row.before, asked: row.asked, after: row.after) == .stillAlive, "\(row)")
        }
    }

    private func isDead(_ sighting: Sighting) -> Bool {
        let isOff = sighting.standing == .disabled || sighting.standing == .missing
        return isOff && sighting.sessions == 0 && sighting.trial != .accepted
    }

    @Test("already dead needs two equal findings, and nothing that was alive before is ever called so")
    func alreadyDead() {
        for row in Self.table {
            let verdict = Verdict(before: row.before, asked: row.asked, after: row.after)
            let both = isDead(row.before) && isDead(row.after)
            #expect((verdict == .wasAlreadyDead) == both, "\(row)")
        }
    }

    @Test("what is left is asked-unverified when asked, and unknown when not")
    func rest() {
        for row in Self.table {
            let verdict = Verdict(before: row.before, asked: row.asked, after: row.after)
            if verdict == .askedUnverified { #expect(row.asked, "\(row)") }
            if verdict == .unknown { #expect(!row.asked, "\(row)") }
        }
    }

    /// One case that happens, and what a person expects it to be called.
    struct Named: Sendable {
        let before: Sighting
        let after: Sighting
        let name: String

        init(_ before: (Trial, Standing, Int), _ after: (Trial, Standing, Int), _ name: String) {
            self.before = Sighting(trial: before.0, standing: before.1, sessions: before.2)
            self.after = Sighting(trial: after.0, standing: after.1, sessions: after.2)
            self.name = name
        }
    }

    static let named: [Named] = [
        // Password known: the full proof.
        Named((.accepted, .enabled, 2), (.refused, .disabled, 0), "dead"),
        // Off, but the session lives on: seen with Redis, PostgreSQL and MariaDB.
        Named((.accepted, .enabled, 2), (.refused, .disabled, 2), "still-alive"),
        // No password known: a session ended, but the refusal was not seen.
        Named((.notTried, .enabled, 1), (.notTried, .disabled, 0), "asked-unverified"),
        // A wrong password is refused by a live account too.
        Named((.refused, .enabled, 1), (.refused, .disabled, 0), "asked-unverified"),
        Named((.refused, .disabled, 0), (.refused, .disabled, 0), "was-already-dead"),
        // Off before, but a session of it was open.
        Named((.refused, .disabled, 1), (.refused, .disabled, 0), "asked-unverified"),
        Named((.accepted, .enabled, 0), (.refused, .enabled, 0), "still-alive"),
    ]

    @Test("the cases that happen are named as a person expects", arguments: named)
    func cases(_ one: Named) {
        #expect(Verdict(before: one.before, asked: true, after: one.after).description == one.name)
    }

    @Test("a verdict survives its encoding")
    func encoding() throws {
        let all: [Verdict] = [
            .dead, .askedUnverified, .stillAlive, .wasAlreadyDead, .cannotRevoke(expires: nil),
            .cannotRevoke(expires: Instant(nanoseconds: 7)), .unknown,
        ]
        for verdict in all {
            let value = try JSONEncoding.value(of: verdict)
            #expect(try JSONDecoding.decode(Verdict.self, from: value) == verdict)
        }
    }
}
