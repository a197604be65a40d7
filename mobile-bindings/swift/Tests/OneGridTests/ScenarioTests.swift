import Foundation
import Scenarios
import XCTest

/// The scenarios that all bindings share, against a real server.
final class ScenarioTests: PhoneTestCase {
    private static let played = [
        "bad_invitations", "courier", "dispute", "first_sync_on_a_bad_line", "gas_cylinders",
        "joint_call", "live_and_listeners", "lost_key", "meeting", "patrol",
        "photos_before_and_after", "revoked_phone", "shared_device", "suspend_in_a_sync",
        "two_people_one_visit", "two_phones_one_hazard", "visits_offline_round",
    ]

    func testBadInvitations() async throws { try await play("bad_invitations") }
    func testCourier() async throws { try await play("courier") }
    func testDispute() async throws { try await play("dispute") }
    func testFirstSyncOnABadLine() async throws { try await play("first_sync_on_a_bad_line") }
    func testGasCylinders() async throws { try await play("gas_cylinders") }
    func testJointCall() async throws { try await play("joint_call") }
    func testLiveAndListeners() async throws { try await play("live_and_listeners") }
    func testLostKey() async throws { try await play("lost_key") }
    func testMeeting() async throws { try await play("meeting") }
    func testPatrol() async throws { try await play("patrol") }
    func testPhotosBeforeAndAfter() async throws { try await play("photos_before_and_after") }
    func testRevokedPhone() async throws { try await play("revoked_phone") }
    func testSharedDevice() async throws { try await play("shared_device") }
    func testSuspendInASync() async throws { try await play("suspend_in_a_sync") }
    func testTwoPeopleOneVisit() async throws { try await play("two_people_one_visit") }
    func testVisitsOfflineRound() async throws { try await play("visits_offline_round") }
    func testTwoPhonesOneHazard() async throws { try await play("two_phones_one_hazard") }

    func testEveryScenarioIsPlayed() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Project.scenarios.path)
        let names = files.filter { $0.hasSuffix(".json") }.map {
            String($0.dropLast(".json".count))
        }
        XCTAssertEqual(names.sorted(), Self.played)
    }

    private func play(_ name: String) async throws {
        let file = Project.scenarios.appendingPathComponent("\(name).json")
        let scenario = try Scenario(contentsOf: file)
        XCTAssertEqual(scenario.name, name)
        try await Player(scenario, testbed: testbed(), folder: folder).play()
    }
}
