import Foundation
import OneGrid
import XCTest

/// Photos: bytes over the border, limits, and the policy of transfers.
final class AttachmentTests: PhoneTestCase {
    private func photo(_ name: String) throws -> Data {
        try Data(contentsOf: Project.scenarios.appendingPathComponent("photos/\(name)"))
    }

    func testPhotoReadsWholeOrInPieces() async throws {
        let clean = try photo("before_clean.jpg")
        let phone = try await phone("phone")
        let added = try await phone.addAttachment(photo("before.jpg"))
        XCTAssertEqual(added.state, .staged)
        let whole = try await phone.readAttachment(added.id)
        XCTAssertEqual(whole, clean)
        let part = try await phone.readAttachment(added.id, offset: 7, bytesMax: 3)
        XCTAssertEqual(part, clean[7..<10])
        let thumbnail = try await phone.thumbnail(added.id)
        XCTAssertEqual(thumbnail?.prefix(2), Data([0xff, 0xd8]))
    }

    func testOtherBytesAreRefused() async throws {
        let phone = try await phone("phone")
        let heic = try photo("iphone.heic")
        let needsJPEG = await refusal { _ = try await phone.addAttachment(heic) }
        XCTAssertEqual(needsJPEG, "media.needs_jpeg")
        let large = Data(count: 32 * 1_024 * 1_024 + 1)
        let tooLarge = await refusal { _ = try await phone.addAttachment(large) }
        XCTAssertEqual(tooLarge, "media.too_large")
        let staged = try await phone.stagedAttachments()
        XCTAssertTrue(staged.isEmpty)
    }

    func testPhotoWaitsForASyncThatTransfersFiles() async throws {
        let phone = try await enrolled("grid-worker")
        let record = try await phone.report(.hazard("气瓶", category: "gas", at: inTheGrid))
        let id = try await phone.addAttachment(photo("before.jpg")).id
        try await phone.attach(id, to: record)
        try await phone.setFilesPolicy(.onRequest)
        try await phone.sync()
        let waiting = try await phone.status()
        XCTAssertEqual(waiting.filesLeft, 1)
        try await phone.syncFiles()
        let info = try await phone.attachment(id, of: record)
        XCTAssertEqual(info.state, .delivered)
        XCTAssertTrue(info.confirmed)
        let refused = try await phone.refusedAttachments()
        XCTAssertTrue(refused.isEmpty)
        let again = await refusal { try await phone.sendAgain(id, of: record) }
        XCTAssertEqual(again, "media.unknown_id")
        let removed = await refusal { try await phone.removeVoidAttachment(id, of: record) }
        XCTAssertEqual(removed, "media.unknown_id")
    }
}
