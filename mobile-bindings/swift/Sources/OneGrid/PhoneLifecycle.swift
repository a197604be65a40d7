/// Suspends and resumes a phone as the app goes to the background and comes back.
///
/// Steps run one after the other in the order of the calls, however quickly a
/// person switches apps. `AppLifecycle` connects it with UIKit.
public actor PhoneLifecycle {
    private let phone: Phone
    private var last: Task<Void, Never>?

    /// The life of this phone.
    public init(_ phone: Phone) {
        self.phone = phone
    }

    /// The app goes to the background. When this returns, no transaction runs and no file is
    /// locked.
    ///
    /// - Throws: the errors of ``Phone/suspend()``.
    public func enterBackground() async throws {
        try await next { phone in try await phone.suspend() }
    }

    /// The app is back: the phone takes calls again, and live sync asks the server at once.
    ///
    /// - Throws: the errors of ``Phone/resume()``.
    public func enterForeground() async throws {
        try await next { phone in
            try await phone.resume()
            try await phone.nudge()
        }
    }

    /// Syncs while the app is in the background, for `BGAppRefreshTask` or a silent push, and
    /// suspends again.
    ///
    /// - Parameters:
    ///   - timeMs: The time that it may take, milliseconds. iOS gives about 30 s.
    ///   - bytes: The bytes that it may use both ways; without it there is no limit.
    /// - Throws: the errors of ``Phone/sync(timeMs:bytes:)``.
    @discardableResult
    public func syncInBackground(
        timeMs: UInt64 = 20_000, bytes: UInt64? = nil
    ) async throws -> SyncReport {
        try await next { phone in
            try await phone.resume()
            do {
                let report = try await phone.sync(timeMs: timeMs, bytes: bytes)
                try await phone.suspend()
                return report
            } catch {
                try await phone.suspend()
                throw error
            }
        }
    }

    private func next<Answer: Sendable>(
        _ step: @escaping @Sendable (Phone) async throws -> Answer
    ) async throws -> Answer {
        let (earlier, phone) = (last, phone)
        let task = Task { () -> Result<Answer, OneGridError> in
            await earlier?.value
            do { return .success(try await step(phone)) } catch {
                return .failure(OneGridError(error))
            }
        }
        last = Task { _ = await task.value }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        return try result.get()
    }
}
