import Foundation
import OneGrid

/// Everything that the listeners of a phone have heard so far.
actor Heard {
    enum Event: Sendable, Hashable {
        case record(String)
        case state(String)
    }

    private static let limit: UInt64 = 120_000_000_000  // ns

    private var events: Set<Event> = []
    private var isAll = false
    private var waiting: [UUID: (Event, CheckedContinuation<Bool, Never>)] = [:]
    private var readers: [Task<Void, Never>] = []

    init(_ phone: Phone) async throws {
        let (changes, states) = (try await phone.changes(), try await phone.statusUpdates())
        readers = [
            Task { [weak self] in
                for await change in changes { await self?.hear(change) }
            },
            Task { [weak self] in
                for await status in states { await self?.hear(.state(snakeCase(status.state))) }
            },
        ]
    }

    deinit {
        for reader in readers { reader.cancel() }
    }

    /// Waits until the event was heard, at most two minutes.
    func wait(for event: Event) async throws {
        if has(event) { return }
        let key = UUID()
        let timeout = Task { [weak self] in
            try? await Task.sleep(nanoseconds: Self.limit)
            await self?.answer(key, false)
        }
        let came = await withCheckedContinuation { waiting[key] = (event, $0) }
        timeout.cancel()
        if !came { throw Mismatch("\(event) was not heard") }
    }

    private func has(_ event: Event) -> Bool {
        if case .record = event, isAll { return true }
        return events.contains(event)
    }

    private func hear(_ changes: RecordChanges) {
        isAll = isAll || changes.all
        for record in changes.records { events.insert(.record(record)) }
        answerAll()
    }

    private func hear(_ event: Event) {
        events.insert(event)
        answerAll()
    }

    private func answerAll() {
        for (key, (event, _)) in waiting where has(event) { answer(key, true) }
    }

    private func answer(_ key: UUID, _ came: Bool) {
        waiting.removeValue(forKey: key)?.1.resume(returning: came)
    }
}
