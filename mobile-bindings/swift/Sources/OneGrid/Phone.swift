import Foundation
import OneGridFFI

/// One member's replica on this phone: hazards, tips, requests and places, offline and in sync with
/// the server.
///
/// Every call is `async` and runs on threads of its own. A call that writes returns once it is on
/// disk, so what it gives back survives power loss. Calls may be made from any task at the same
/// time.
public final class Phone: Sendable {
    let core: OneGridFFI.Phone
    let lanes = Lanes()

    init(core: OneGridFFI.Phone) {
        self.core = core
    }

    /// Redeems an invitation and enrols this phone for the member. Cancelling the task ends the
    /// call within a second.
    ///
    /// - Parameters:
    ///   - invitation: The text of a QR code, or a typed code.
    ///   - server: The server's address, needed with a typed code alone.
    ///   - deviceName: The name that an administrator sees, such as “iPhone 15”.
    /// - Throws: `invitation.*`, `enrolment.*`, `net.bad_address`, `sync.offline`,
    ///   `phone.server_needed`, `phone.enrolled_already`, `net.cancelled`. The same call may be
    ///   made again.
    @discardableResult
    public func enrol(
        _ invitation: String, server: String? = nil, deviceName: String
    ) async throws -> Me {
        try await overNetwork { core in
            try core.enrol(invitation: invitation, server: server, deviceName: deviceName)
        }
    }

    /// The member and device of this phone, and the roles that the member may act under.
    public func me() async throws -> Me {
        try await local { core in try core.me() }
    }

    /// Sets the one role for all further writing of the member; without one, the role nearest to
    /// the record applies. The setting holds until the phone is shut.
    ///
    /// - Parameter role: The `id` of one of ``me()``'s roles.
    /// - Throws: `may.role` for a role that the member does not hold.
    public func act(as role: String?) async throws {
        try await local { core in try core.actAs(role: role) }
    }

    /// Suspends the phone, because the app goes to the background: interrupts a sync under way and
    /// waits until no transaction runs and no file is locked. Until ``resume()`` every call except
    /// ``status()`` throws `replica.suspended`.
    ///
    /// Runs even in a cancelled task. `AppLifecycle` calls it on iOS.
    public func suspend() async throws {
        try await lanes.control.finish { [core] in try core.suspend() }
    }

    /// Resumes the phone, because the app is back: it takes calls again, and live sync continues if
    /// it was on.
    ///
    /// - Throws: the errors of opening, such as `replica.in_use`; the phone then stays suspended.
    public func resume() async throws {
        try await lanes.control.finish { [core] in try core.resume() }
    }

    /// Closes the replica for good. The account can be opened again at once.
    public func shut() async throws {
        try await lanes.control.finish { [core] in try core.shut() }
    }

    /// Facts that help to find an error, as JSON: versions, counts, codes and sizes. No content,
    /// names, positions or keys.
    public func supportBundle() async throws -> String {
        try await local { core in try core.supportBundle() }
    }

    func local<Answer: Sendable>(
        _ call: @escaping @Sendable (OneGridFFI.Phone) throws -> Answer
    ) async throws -> Answer {
        try await lanes.local.run { [core] in try call(core) }
    }

    /// Runs a call that waits for the network; a cancelled task breaks it off.
    func overNetwork<Answer: Sendable>(
        _ call: @escaping @Sendable (OneGridFFI.Phone) throws -> Answer
    ) async throws -> Answer {
        let cancellation = Cancellation { [core] in try? core.cancel() }
        let result: Result<Answer, OneGridError> = await withTaskCancellationHandler {
            do {
                return .success(
                    try await lanes.network.run { [core] in
                        try cancellation.running { try call(core) }
                    })
            } catch {
                return .failure(OneGridError(error))
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }
}
