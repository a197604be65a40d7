import OneGridFFI
import Scenarios
import XCTest

@testable import OneGrid

/// A suite that passes with any library proves nothing. Each test wires one method of the
/// surface to something else, and a scenario must fail at a step that needs the method.
final class MiswiringTests: PhoneTestCase {
    func testCommentThatIsNotWrittenFailsAScenario() async throws {
        final class Miswired: OneGridFFI.Phone, @unchecked Sendable {
            override func comment(
                record: String, text: String, mentions: [String], attachments: [String]
            ) throws -> String {
                record
            }
        }
        let failure = try await failure(of: "live_and_listeners") { Miswired(unsafeFromHandle: $0) }
        XCTAssertTrue(failure.contains("comments"), failure)
    }

    func testPhotoThatIsNotAskedForFailsAScenario() async throws {
        final class Miswired: OneGridFFI.Phone, @unchecked Sendable {
            override func wantAttachment(record: String, id: String) throws {}
        }
        let failure = try await failure(of: "photos_before_and_after") {
            Miswired(unsafeFromHandle: $0)
        }
        XCTAssertTrue(failure.contains("want_attachment"), failure)
    }

    func testSearchThatFindsNothingFailsAScenario() async throws {
        final class Miswired: OneGridFFI.Phone, @unchecked Sendable {
            override func search(text: String, page: String?, rows: UInt32) throws -> RecordPage {
                RecordPage(rows: [], next: nil)
            }
        }
        let failure = try await failure(of: "gas_cylinders") { Miswired(unsafeFromHandle: $0) }
        XCTAssertTrue(failure.contains("search"), failure)
    }

    func testOpeningThatIsNotSignedFailsAScenario() async throws {
        final class Miswired: OneGridFFI.Phone, @unchecked Sendable {
            override func opened(record: String) throws -> Bool { false }
        }
        let failure = try await failure(of: "gas_cylinders") { Miswired(unsafeFromHandle: $0) }
        XCTAssertTrue(failure.contains("opened"), failure)
    }

    func testUndoThatDoesNothingFailsAScenario() async throws {
        final class Miswired: OneGridFFI.Phone, @unchecked Sendable {
            override func undoSettle(record: String, envelope: String) throws -> String { envelope }
        }
        let failure = try await failure(of: "two_phones_one_hazard") {
            Miswired(unsafeFromHandle: $0)
        }
        XCTAssertFalse(failure.isEmpty)
    }

    func testAnswersThatAreNotWrittenFailAScenario() async throws {
        final class Miswired: OneGridFFI.Phone, @unchecked Sendable {
            override func answer(record: String, changes: [AnswerChange]) throws -> String {
                record
            }
        }
        let failure = try await failure(of: "two_people_one_visit") {
            Miswired(unsafeFromHandle: $0)
        }
        XCTAssertTrue(failure.contains("answers"), failure)
    }

    func testPhoneThatDoesNotComeBackFailsAScenario() async throws {
        final class Miswired: OneGridFFI.Phone, @unchecked Sendable {
            override func resume() throws {}
        }
        let failure = try await failure(of: "suspend_in_a_sync") { Miswired(unsafeFromHandle: $0) }
        XCTAssertTrue(failure.contains("replica.suspended"), failure)
    }

    /// The failure of a scenario whose phones are miswired; empty where it passed.
    private func failure(
        of name: String, miswire: @escaping @Sendable (UInt64) -> OneGridFFI.Phone
    ) async throws -> String {
        let file = Project.scenarios.appendingPathComponent("\(name).json")
        let player = Player(
            try Scenario(contentsOf: file), testbed: try testbed(), folder: folder,
            adapt: { phone in OneGrid.Phone(core: miswire(phone.core.uniffiCloneHandle())) })
        do {
            try await player.play()
            XCTFail("\(name) passed over a miswired method")
            return ""
        } catch {
            return "\(error)"
        }
    }
}
