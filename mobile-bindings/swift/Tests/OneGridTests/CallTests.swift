import Foundation
import Scenarios
import XCTest

@testable import OneGrid

final class CallTests: PhoneTestCase {
    func testMainActorGoesOnWhileACallBlocks() async throws {
        let vault = GatedVault()
        let place = folder.appendingPathComponent("phone")
        let opening = Task { @MainActor in
            try await Device.open(folder: place, vault: vault).openSingle().phone
        }
        await vault.asked()
        // A call that held the main thread would keep this from running, and end in an error after
        // 10 s.
        await MainActor.run { vault.open() }
        let me = try await opening.value.me()
        XCTAssertFalse(me.enrolled)
    }

    func testCallsOfACancelledTaskDoNotBegin() async throws {
        let phone = try await enrolled("volunteer-1")
        let place = inTheGrid
        let writing = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await phone.report(.hazard("气瓶", category: "gas", at: place))
        }
        writing.cancel()
        let code = await refusal { _ = try await writing.value }
        XCTAssertEqual(code, "net.cancelled")
        let count = try await phone.count()
        XCTAssertEqual(count, 0)
    }

    func testCancelledTaskBreaksOffItsSync() async throws {
        let phone = try await enrolled("volunteer-1")
        let record = try await phone.report(.hazard("气瓶", category: "gas", at: inTheGrid))
        try await testbed().ask("line", ["hold_after": 0])
        let syncing = Task { try await phone.sync() }
        try await testbed().ask("line_held")

        // Lists answer while the sync waits for its line.
        let rows = try await phone.list().rows.map(\.id)
        XCTAssertEqual(rows, [record])

        syncing.cancel()
        let code = await refusal { _ = try await syncing.value }
        XCTAssertEqual(code, "net.cancelled")
        try await testbed().ask("line", ["up": true])
        let report = try await phone.sync()
        XCTAssertTrue(report.equal)
    }

    func testCancellationThatComesFirstPreventsTheCall() {
        let cancellation = Cancellation { XCTFail("there is nothing to break off") }
        cancellation.cancel()
        XCTAssertThrowsError(try cancellation.running { XCTFail("it began") }) { error in
            XCTAssertEqual((error as? OneGridError)?.code, "net.cancelled")
        }
    }

    func testCancellationIsRepeatedUntilTheCallHasReturned() throws {
        let heard = DispatchSemaphore(value: 0)
        let cancellation = Cancellation { heard.signal() }
        try cancellation.running {
            cancellation.cancel()
            // A core that misses the first cancels hears a later one.
            for _ in 0..<3 { heard.wait() }
        }
    }

    func testPagesReadAListToItsEnd() async throws {
        let phone = try await enrolled("volunteer-1")
        var records = Set<String>()
        for number in 0..<55 {
            let draft = ReportDraft.hazard("气瓶 \(number)", category: "gas", at: inTheGrid)
            records.insert(try await phone.report(draft))
        }
        var seen: [String] = []
        for try await row in phone.records(Query(mine: true)) { seen.append(row.id) }
        XCTAssertEqual(seen.count, 55)
        XCTAssertEqual(Set(seen), records)
    }
}

/// A vault in memory that answers only once it is opened.
private final class GatedVault: KeyVault, @unchecked Sendable {
    private let inner = MemoryVault()
    private let gate = DispatchSemaphore(value: 0)
    private let (calls, called) = AsyncStream.makeStream(of: Void.self)

    func asked() async { for await _ in calls { return } }

    func open() { gate.signal() }

    func load(name: String) throws -> Data? {
        try passing { try inner.load(name: name) }
    }

    func save(name: String, secret: Data) throws {
        try passing { try inner.save(name: name, secret: secret) }
    }

    func remove(name: String) throws {
        try passing { try inner.remove(name: name) }
    }

    private func passing<Answer>(_ work: () throws -> Answer) throws -> Answer {
        called.yield()
        gate.wait()
        defer { gate.signal() }
        return try work()
    }
}
