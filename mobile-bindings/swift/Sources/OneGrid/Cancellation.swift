import Foundation

/// Carries the cancellation of a task into a call that blocks.
///
/// The core hears a cancel only while its call waits for the network. A task may be cancelled a
/// moment earlier, so the cancel is repeated until the call has returned.
final class Cancellation: @unchecked Sendable {
    private enum State { case waiting, running, done }

    private static let repeatMs = 50

    private let lock = NSLock()
    private let breakOff: @Sendable () -> Void
    private var state = State.waiting
    private var isCancelled = false

    init(breakOff: @escaping @Sendable () -> Void) {
        self.breakOff = breakOff
    }

    /// Runs the call, or throws where the task was cancelled before.
    func running<Answer>(_ work: () throws -> Answer) throws -> Answer {
        let begins = lock.withLock { () -> Bool in
            if !isCancelled { state = .running }
            return !isCancelled
        }
        guard begins else { throw OneGridError.cancelled }
        defer { lock.withLock { state = .done } }
        return try work()
    }

    /// The task was cancelled. Returns at once.
    func cancel() {
        let isRunning = lock.withLock { () -> Bool in
            isCancelled = true
            return state == .running
        }
        if isRunning { breakOffUntilDone() }
    }

    private func breakOffUntilDone() {
        DispatchQueue.global(qos: .userInitiated).async { [self] in
            guard lock.withLock({ state == .running }) else { return }
            breakOff()
            let next = DispatchTime.now() + .milliseconds(Self.repeatMs)
            DispatchQueue.global(qos: .userInitiated).asyncAfter(deadline: next) { [self] in
                breakOffUntilDone()
            }
        }
    }
}
