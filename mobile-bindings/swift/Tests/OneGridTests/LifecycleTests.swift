import OneGrid
import Scenarios
import XCTest

final class LifecycleTests: PhoneTestCase {
    func testSuspendedPhoneSaysSoUntilItIsBack() async throws {
        let phone = try await phone("phone")
        let lifecycle = PhoneLifecycle(phone)
        try await lifecycle.enterBackground()
        let code = await refusal { _ = try await phone.count() }
        XCTAssertEqual(code, "replica.suspended")
        let state = try await phone.status().state
        XCTAssertEqual(state, .suspended)
        try await lifecycle.enterForeground()
        let count = try await phone.count()
        XCTAssertEqual(count, 0)
    }

    func testStepsRunInTheOrderInWhichTheyWereAskedFor() async throws {
        let phone = try await phone("phone")
        let lifecycle = PhoneLifecycle(phone)
        for _ in 0..<20 {
            async let leaving: Void = lifecycle.enterBackground()
            async let returning: Void = lifecycle.enterForeground()
            _ = try await (leaving, returning)
        }
        try await lifecycle.enterForeground()
        let count = try await phone.count()
        XCTAssertEqual(count, 0)
    }

    func testSyncInTheBackgroundDeliversAndSuspendsAgain() async throws {
        let phone = try await enrolled("volunteer-1")
        let record = try await phone.report(.hazard("气瓶", category: "gas", at: inTheGrid))
        let lifecycle = PhoneLifecycle(phone)
        try await lifecycle.enterBackground()
        let report = try await lifecycle.syncInBackground()
        XCTAssertEqual(report.pushed, 1)
        let state = try await phone.status().state
        XCTAssertEqual(state, .suspended)
        let view = try await testbed().ask("server_view", ["record": .text(record)])
        XCTAssertEqual(view["known"], true)
    }

    func testSyncInTheBackgroundThatFailsSuspendsAgain() async throws {
        let phone = try await enrolled("volunteer-1")
        let lifecycle = PhoneLifecycle(phone)
        try await lifecycle.enterBackground()
        try await testbed().ask("line", ["up": false])
        let code = await refusal { try await lifecycle.syncInBackground() }
        XCTAssertEqual(code, "sync.offline")
        let state = try await phone.status().state
        XCTAssertEqual(state, .suspended)
    }
}
