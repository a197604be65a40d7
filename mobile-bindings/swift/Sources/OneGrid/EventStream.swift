import Foundation
import OneGridFFI

/// Events of a phone, for `for await`.
///
/// Events that come while the app is busy are merged into the next one, so a slow app never delays
/// the phone and needs no memory for a backlog. The subscription ends when the stream and its
/// iterators are dropped, or when the task that reads it is cancelled.
public struct EventStream<Element: Sendable>: AsyncSequence, Sendable {
    public typealias Failure = Never

    let mailbox: Mailbox<Element>

    /// Reads the events one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        public typealias Failure = Never

        let mailbox: Mailbox<Element>
        var bell: AsyncStream<Void>.Iterator

        /// The next event; `nil` once the subscription has ended.
        public mutating func next() async -> Element? {
            while await bell.next() != nil {
                if let element = mailbox.take() { return element }
            }
            return nil
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(mailbox: mailbox, bell: mailbox.bell.makeAsyncIterator())
    }
}

/// The place where a listener leaves events until the app reads them.
final class Mailbox<Element: Sendable>: @unchecked Sendable {
    /// Rings whenever something was put in; several rings are one.
    let bell: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation
    private let lock = NSLock()
    private var waiting: any Collector<Element>

    init(_ collector: any Collector<Element>) {
        (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        waiting = collector
    }

    /// Calls `end` once, when the last reader is gone.
    func whenDropped(_ end: @escaping @Sendable () -> Void) {
        ring.onTermination = { _ in end() }
    }

    func put(_ element: Element) {
        lock.withLock { waiting.add(element) }
        ring.yield()
    }

    func take() -> Element? {
        lock.withLock { waiting.take() }
    }
}

/// Merges events into the one that the app reads next.
protocol Collector<Element>: Sendable {
    associatedtype Element

    mutating func add(_ element: Element)
    /// Empties the collector; `nil` where it was empty.
    mutating func take() -> Element?
}

/// Merges changes: each record is named once.
struct MergedChanges: Collector {
    /// Records that one event names; beyond them `all` says that there are more.
    static let recordsNamedMax = 1_000

    private var named: Set<String> = []
    private var merged: RecordChanges?

    mutating func add(_ changes: RecordChanges) {
        let earlier = merged
        for record in changes.records where named.count < Self.recordsNamedMax {
            named.insert(record)
        }
        let hasMore = !named.isSuperset(of: changes.records)
        merged = RecordChanges(
            records: [],
            all: changes.all || hasMore || earlier?.all == true,
            directory: changes.directory || earlier?.directory == true,
            notices: changes.notices || earlier?.notices == true
        )
    }

    mutating func take() -> RecordChanges? {
        merged?.records = named.sorted()
        defer { (named, merged) = ([], nil) }
        return merged
    }
}

/// Keeps the newest event alone.
struct Newest<Element: Sendable>: Collector {
    private var newest: Element?

    mutating func add(_ element: Element) { newest = element }

    mutating func take() -> Element? {
        defer { newest = nil }
        return newest
    }
}

/// Keeps all notifications in order.
struct AllNotifications: Collector {
    /// Notifications that wait for the app; older ones stay on the phone until they are taken.
    static let waitingMax = 1_000

    private var waiting: [PhoneNotification] = []

    mutating func add(_ notifications: [PhoneNotification]) {
        waiting += notifications
        waiting.removeFirst(max(0, waiting.count - Self.waitingMax))
    }

    mutating func take() -> [PhoneNotification]? {
        defer { waiting = [] }
        return waiting.isEmpty ? nil : waiting
    }
}

final class ChangeRelay: ChangeListener, Sendable {
    // Weak, because a listener must not keep alive the stream whose end ends the listener.
    private let mailbox: Weak<Mailbox<RecordChanges>>

    init(_ mailbox: Mailbox<RecordChanges>) { self.mailbox = Weak(mailbox) }

    func changed(changes: RecordChanges) throws { mailbox.value?.put(changes) }
}

final class StatusRelay: StatusListener, Sendable {
    private let mailbox: Weak<Mailbox<SyncStatus>>

    init(_ mailbox: Mailbox<SyncStatus>) { self.mailbox = Weak(mailbox) }

    func status(status: SyncStatus) throws { mailbox.value?.put(status) }
}

final class NotificationRelay: NotificationListener, Sendable {
    private let mailbox: Weak<Mailbox<[PhoneNotification]>>

    init(_ mailbox: Mailbox<[PhoneNotification]>) { self.mailbox = Weak(mailbox) }

    func notifications(notifications: [PhoneNotification]) throws {
        mailbox.value?.put(notifications)
    }
}

/// A reference that keeps nothing alive.
struct Weak<Object: AnyObject & Sendable>: @unchecked Sendable {
    // Never written after `init`; the runtime clears it atomically.
    private(set) weak var value: Object?

    init(_ value: Object) { self.value = value }
}
