import Foundation
import OneGridFFI

extension Phone {
    /// Asks the server what the next sync would cost, so that the app can ask the person first. The
    /// call moves no work. Minutes are known once a page has come: a new phone syncs with a small
    /// budget, shows the open cases, and asks for the plan of the rest. Cancelling the task ends the
    /// call within a second.
    ///
    /// - Throws: The errors of ``sync(timeMs:bytes:)``, `session.certificate_expired`, and
    ///   `sync.unmeasured` from an older server.
    public func plan() async throws -> SyncPlan {
        try await overNetwork { core in try core.plan() }
    }

    /// Exchanges with the server until both hold the same or a limit is reached. The phone keeps
    /// everything that was exchanged, and the next sync continues there. Photos and recordings
    /// follow the records, as ``setFilesPolicy(_:)`` allows; they never make a sync fail. Cancelling
    /// the task ends the sync within a second.
    ///
    /// - Parameters:
    ///   - timeMs: The time that it may take, milliseconds; without it there is no limit.
    ///   - bytes: The bytes that it may use both ways; without it there is no limit.
    /// - Throws: `replica.not_enrolled`, `sync.offline`, `net.cancelled`, `replica.suspended`, and
    ///   the refusals of the server.
    @discardableResult
    public func sync(timeMs: UInt64? = nil, bytes: UInt64? = nil) async throws -> SyncReport {
        let budget = SyncBudget(timeMs: timeMs, bytes: bytes)
        return try await overNetwork { core in try core.syncOnce(budget: budget) }
    }

    /// Starts live sync: after each write, when the server has something new, and every few
    /// minutes. It continues after ``resume()``.
    ///
    /// - Throws: `replica.not_enrolled`.
    public func startLive() async throws {
        try await local { core in try core.liveStart() }
    }

    /// Stops live sync.
    public func stopLive() async throws {
        try await local { core in try core.liveStop() }
    }

    /// Makes live sync ask the server now, because the network is back, the phone is charging, or a
    /// push arrived. A push carries no content and means no more than this.
    public func nudge() async throws {
        try await local { core in try core.nudge() }
    }

    /// Interrupts ``enrol(_:server:deviceName:)``, ``plan()``, ``sync(timeMs:bytes:)`` and
    /// ``syncFiles(timeMs:bytes:)`` of every task: they throw `net.cancelled` within a second. The
    /// phone keeps everything that the server acknowledged.
    public func cancel() async throws {
        try await lanes.control.finish { [core] in try core.cancel() }
    }

    /// The state of the connection. Answers at any time, also while the phone is suspended.
    public func status() async throws -> SyncStatus {
        try await lanes.control.run { [core] in try core.status() }
    }

    /// Names the records that change on this phone, from now on until the stream is dropped.
    ///
    /// - Throws: `phone.shut`.
    public func changes() async throws -> EventStream<RecordChanges> {
        try await stream(of: Mailbox(MergedChanges())) { core, mailbox in
            try core.subscribeChanges(listener: ChangeRelay(mailbox))
        }
    }

    /// Says the state of the connection, now and whenever it changes, until the stream is dropped.
    ///
    /// - Throws: `phone.shut`.
    public func statusUpdates() async throws -> EventStream<SyncStatus> {
        try await stream(of: Mailbox(Newest())) { core, mailbox in
            try core.subscribeStatus(listener: StatusRelay(mailbox))
        }
    }

    /// Gives the messages for the lock screen: those that were not taken yet, then new ones. Each
    /// comes once in the life of a stream; ``notificationsTaken(upTo:)`` ends them for good. Of
    /// more than 1,000 that the app has not read, the stream keeps the newest;
    /// ``notifications(after:rows:)`` gives all.
    ///
    /// - Throws: `phone.shut`.
    public func notificationUpdates() async throws -> EventStream<[PhoneNotification]> {
        try await stream(of: Mailbox(AllNotifications())) { core, mailbox in
            try core.subscribeNotifications(listener: NotificationRelay(mailbox))
        }
    }

    func stream<Element>(
        of mailbox: Mailbox<Element>,
        subscribe: @escaping @Sendable (OneGridFFI.Phone, Mailbox<Element>) throws -> Subscription
    ) async throws -> EventStream<Element> {
        let subscription = try await lanes.control.run { [core] in try subscribe(core, mailbox) }
        mailbox.whenDropped { [control = lanes.control] in
            control.start { try? subscription.cancel() }
        }
        return EventStream(mailbox: mailbox)
    }
}
