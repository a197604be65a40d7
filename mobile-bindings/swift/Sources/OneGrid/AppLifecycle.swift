#if canImport(UIKit) && !os(watchOS)
    import Foundation
    import UIKit

    /// Suspends a phone when the app goes to the background, and resumes it when the app is back.
    ///
    /// iOS ends an app that is suspended while it holds a lock on a file, so an app on iOS keeps
    /// one of these for each open phone:
    ///
    /// ```swift
    /// let lifecycle = AppLifecycle(phone)
    /// ```
    @MainActor
    public final class AppLifecycle {
        /// The steps themselves, for `BGAppRefreshTask` and silent pushes.
        public nonisolated let steps: PhoneLifecycle
        /// Hears when a step failed, such as `replica.in_use` on the way back.
        public var onError: (@MainActor (OneGridError) -> Void)?

        private let observers = Observers()
        private var leave = UIBackgroundTaskIdentifier.invalid

        /// Begins to follow the app. It ends when this object is dropped.
        public init(_ phone: Phone) {
            steps = PhoneLifecycle(phone)
            observers.add(UIApplication.didEnterBackgroundNotification) { [weak self] in
                self?.suspend()
            }
            observers.add(UIApplication.willEnterForegroundNotification) { [weak self] in
                self?.resume()
            }
        }

        private func suspend() {
            endLeave()
            leave = UIApplication.shared.beginBackgroundTask(withName: "OneGrid.suspend") {
                [weak self] in
                MainActor.assumeIsolated { self?.endLeave() }
            }
            Task {
                do { try await steps.enterBackground() } catch { onError?(OneGridError(error)) }
                endLeave()
            }
        }

        private func resume() {
            Task {
                do { try await steps.enterForeground() } catch { onError?(OneGridError(error)) }
            }
        }

        /// Gives back the time that iOS has granted after the app left the screen.
        private func endLeave() {
            if leave != .invalid { UIApplication.shared.endBackgroundTask(leave) }
            leave = .invalid
        }
    }

    /// Observers that are gone with this object.
    private final class Observers: @unchecked Sendable {
        // The main thread alone writes it; `deinit` reads it as the last owner.
        private var tokens: [any NSObjectProtocol] = []

        @MainActor
        func add(
            _ name: Foundation.Notification.Name,
            _ act: @escaping @MainActor @Sendable () -> Void
        ) {
            let token = NotificationCenter.default.addObserver(
                forName: name, object: nil, queue: .main
            ) { _ in
                MainActor.assumeIsolated { act() }
            }
            tokens.append(token)
        }

        deinit {
            for token in tokens { NotificationCenter.default.removeObserver(token) }
        }
    }
#endif
