import Foundation
import OneGridFFI
import XCTest

@testable import OneGrid

final class EventTests: PhoneTestCase {
    func testChangesThatNobodyReadsBecomeOneEvent() async {
        let mailbox = Mailbox(MergedChanges())
        let relay = ChangeRelay(mailbox)
        for number in 0..<10_000 {
            let changes = RecordChanges(
                records: ["\(number % 900)"], all: false, directory: number == 7, notices: false)
            XCTAssertNoThrow(try relay.changed(changes: changes))
        }
        var events = EventStream(mailbox: mailbox).makeAsyncIterator()
        let event = await events.next()
        XCTAssertEqual(event?.records.count, 900)
        XCTAssertEqual(event?.all, false)
        XCTAssertEqual(event?.directory, true)
    }

    func testMoreRecordsThanAreNamedSayAll() throws {
        let many = (0..<999).map { "\($0)" }
        let earlier = RecordChanges(records: many, all: false, directory: false, notices: true)
        let later = RecordChanges(
            records: ["a", "b"], all: false, directory: false, notices: false)
        var collector = MergedChanges()
        collector.add(earlier)
        collector.add(later)
        let merged = collector.take()
        XCTAssertEqual(merged?.records.count, 1_000)
        XCTAssertEqual(merged?.all, true)
        XCTAssertEqual(merged?.notices, true)
        XCTAssertNil(collector.take())
    }

    func testNotificationsThatNobodyReadsKeepTheNewest() {
        var collector = AllNotifications()
        for no in 1...1_500 {
            collector.add([
                PhoneNotification(
                    no: Int64(no), atMs: 0, code: "notify.mentioned", zh: "", en: "", record: nil)
            ])
        }
        let waiting = collector.take() ?? []
        XCTAssertEqual(waiting.map(\.no), Array(501...1_500))
        XCTAssertNil(collector.take())
    }

    func testOnlyTheNewestStatusWaits() async throws {
        let phone = try await phone("phone")
        let states = try await phone.statusUpdates()
        try await within {
            var states = states.makeAsyncIterator()
            let now = await states.next()
            XCTAssertEqual(now?.state, .idle)
            try await phone.suspend()
            while await states.next()?.state != .suspended {}
        }
    }

    func testWriterHearsItsOwnChange() async throws {
        let phone = try await enrolled("volunteer-1")
        let changes = try await phone.changes()
        let record = try await phone.report(.hazard("气瓶", category: "gas", at: inTheGrid))
        try await within {
            for await change in changes where change.records.contains(record) { return }
        }
    }

    func testDroppedStreamEndsItsSubscription() async throws {
        let phone = try await phone("phone")
        let gone = expectation(description: "the listener was let go")
        var stream: EventStream<RecordChanges>? = try await phone.stream(
            of: Mailbox(MergedChanges())
        ) { core, _ in
            try core.subscribeChanges(listener: Listener(gone))
        }
        XCTAssertNotNil(stream)
        stream = nil
        await fulfillment(of: [gone], timeout: 120)
    }

    func testCancelledTaskEndsItsLoop() async throws {
        let phone = try await phone("phone")
        let states = try await phone.statusUpdates()
        let began = expectation(description: "the loop has begun")
        began.assertForOverFulfill = false
        let reader = Task {
            for await _ in states { began.fulfill() }
        }
        await fulfillment(of: [began], timeout: 120)
        reader.cancel()
        try await within { await reader.value }
    }

    func testShutPhoneTakesNoListener() async throws {
        let phone = try await phone("phone")
        try await phone.shut()
        let code = await refusal { _ = try await phone.changes() }
        XCTAssertEqual(code, "phone.shut")
    }

    private final class Listener: ChangeListener, @unchecked Sendable {
        private let gone: XCTestExpectation

        init(_ gone: XCTestExpectation) { self.gone = gone }

        deinit { gone.fulfill() }

        func changed(changes: RecordChanges) throws {}
    }
}
