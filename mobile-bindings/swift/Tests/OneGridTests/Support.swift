import Foundation
import OneGrid
import Scenarios
import XCTest

/// Files of the project that tests read.
enum Project {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static let package = root.appendingPathComponent("mobile-bindings/swift")

    static var scenarios: URL {
        setting("ONEGRID_SCENARIOS").map { URL(fileURLWithPath: $0) }
            ?? root.appendingPathComponent("mobile-bindings/scenarios")
    }

    static var testbed: String {
        setting("ONEGRID_TESTBED") ?? root.appendingPathComponent("target/debug/testbed").path
    }

    private static func setting(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name]
    }
}

/// A folder that is gone after the test.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "onegrid-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

/// A test with a folder of its own and, on demand, a server of its own.
class PhoneTestCase: XCTestCase {
    private(set) var folder: URL!
    private var temporary: TemporaryFolder?
    private var started: Testbed?

    /// A place in a grid of the testbed's town.
    let inTheGrid = GeoPosition(lat: 30.31215, lon: 120.11878, datum: .wgs84, accuracyM: 8)

    override func setUpWithError() throws {
        temporary = try TemporaryFolder()
        folder = temporary?.url
    }

    override func tearDown() {
        (started, temporary, folder) = (nil, nil, nil)
    }

    func testbed() throws -> Testbed {
        let testbed = try started ?? Testbed(program: Project.testbed)
        started = testbed
        return testbed
    }

    func device(_ name: String, vault: any KeyVault = MemoryVault()) async throws -> Device {
        try await Device.open(folder: folder.appendingPathComponent(name), vault: vault)
    }

    func phone(_ name: String, vault: any KeyVault = MemoryVault()) async throws -> Phone {
        try await device(name, vault: vault).openSingle().phone
    }

    func invitation(of who: String) async throws -> String {
        try await testbed().ask("invite", ["who": .text(who)])["qr"].text ?? ""
    }

    /// A phone of this person, in sync with the server.
    func enrolled(_ who: String, vault: any KeyVault = MemoryVault()) async throws -> Phone {
        let phone = try await phone(who, vault: vault)
        try await phone.enrol(invitation(of: who), deviceName: "test")
        try await phone.sync()
        return phone
    }
}

/// The awaited event did not happen in time.
struct TooLate: Error {}

/// Runs work that waits for another party, and fails after a limit.
func within<Answer: Sendable>(
    seconds: UInt64 = 120, _ work: @escaping @Sendable () async throws -> Answer
) async throws -> Answer {
    try await withThrowingTaskGroup(of: Answer.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await Task.sleep(nanoseconds: seconds * 1_000_000_000)
            throw TooLate()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw TooLate() }
        return first
    }
}

/// The code of a call's refusal.
func refusal(
    file: StaticString = #filePath, line: UInt = #line, of call: () async throws -> Void
) async -> String {
    do {
        try await call()
        XCTFail("the call was not refused", file: file, line: line)
        return ""
    } catch let error as OneGridError {
        XCTAssertFalse(error.zh.isEmpty || error.en.isEmpty, "\(error)", file: file, line: line)
        return error.code
    } catch {
        XCTFail("\(error)", file: file, line: line)
        return ""
    }
}
