import Foundation
import Scenarios
import XCTest

@testable import OneGrid

/// Hostile and broken input: a typed error or a refusal, nothing lost, and the app continues.
final class BadInputTests: PhoneTestCase {
    func testTextsThatAreNoInvitationAreRefusedByCode() async throws {
        let phone = try await phone("phone")
        let texts = [
            "", " ", "https://example.org/menu", "WIFI:T:WPA;S=cafe;;", "ONEGRID1:",
            "ONEGRID1:%%%%",
            "\u{0}\u{FFFD}", String(repeating: "A", count: 1_000_000),
        ]
        for text in texts {
            let title = String(text.prefix(20))
            let checked = await refusal { _ = try await OneGridLibrary.checkInvitation(text) }
            XCTAssertTrue(checked.hasPrefix("invitation."), "\(title): \(checked)")
            let enrolled = await refusal {
                try await phone.enrol(text, server: nil, deviceName: "test")
            }
            XCTAssertTrue(enrolled.hasPrefix("invitation."), "\(title): \(enrolled)")
        }
        try await phone.enrol(invitation(of: "volunteer-1"), deviceName: "test")
    }

    func testWrongVaultKeyOpensNothingAndLosesNothing() async throws {
        let vault = MemoryVault()
        let device = try await device("phone", vault: vault)
        let (phone, _) = try await device.openSingle()
        let me = try await phone.me()
        try await phone.shut()
        vault.scramble()
        let error = await thrown { _ = try await device.openSingle() }
        XCTAssertEqual(error?.kind, .key, "\(error.debugDescription)")
        vault.scramble()
        let again = try await device.openSingle().phone.me()
        XCTAssertEqual(again.device, me.device)
    }

    func testRestoredBackupWithoutItsVaultSaysThatTheKeyIsGone() async throws {
        let phone = try await phone("phone")
        try await phone.shut()
        let (from, to) = (
            folder.appendingPathComponent("phone"), folder.appendingPathComponent("restored")
        )
        try FileManager.default.copyItem(at: from, to: to)
        let restored = try await device("restored")
        let code = await refusal { _ = try await restored.openSingle() }
        XCTAssertEqual(code, "vault.key_gone")
        let slot = try await restored.accounts().first?.slot ?? ""
        let (empty, wayBack) = try await restored.startOver(slot: slot)
        XCTAssertEqual(wayBack.kind, .startedOver)
        let me = try await empty.me()
        XCTAssertFalse(me.enrolled)
    }

    func testVaultThatThrowsGivesItsCode() async throws {
        struct Foreign: Error {}
        let errors: [(any Error, String)] = [
            (VaultError.Locked, "vault.locked"),
            (VaultError.Failed(reason: "test"), "vault.failed"),
            (Foreign(), "vault.failed"),
        ]
        for (error, expected) in errors {
            let vault = OddVault { throw error }
            let device = try await device("phone-\(UUID().uuidString)", vault: vault)
            let code = await refusal { _ = try await device.openSingle() }
            XCTAssertEqual(code, expected)
        }
    }

    func testVaultThatHangsFailsItsCallAlone() async throws {
        let release = DispatchSemaphore(value: 0)
        defer { for _ in 0..<100 { release.signal() } }
        let hanging = try await device("hanging", vault: OddVault { release.wait() })
        async let code = refusal { _ = try await hanging.openSingle() }
        let other = try await phone("other").count()
        XCTAssertEqual(other, 0)
        let refused = await code
        XCTAssertEqual(refused, "vault.failed")
    }

    func testVaultThatCallsTheSdkIsRefusedOnItsOwnThread() async throws {
        let (phone, direct, detour) = (Box<Phone>(), Box<String>(), Box<String>())
        let vault = OddVault {
            guard let phone = phone.value, detour.value == nil else { return }
            do { _ = try phone.core.undelivered() } catch {
                direct.value = OneGridError(error).code
            }
            // Another thread may call, as long as the vault answers in time.
            let done = DispatchSemaphore(value: 0)
            Task.detached {
                detour.value = await codeOf { _ = try await phone.count() }
                done.signal()
            }
            done.wait()
        }
        let device = try await device("phone", vault: vault)
        phone.value = try await device.openSingle().phone
        let account = try await device.addAccount(name: "第二人")
        XCTAssertEqual(account.name, "第二人")
        XCTAssertEqual(direct.value, "phone.called_back_in")
        XCTAssertEqual(detour.value, "")
    }

    func testListenerMayCallTheSdk() async throws {
        let phone = try await enrolled("volunteer-1")
        let changes = try await phone.changes()
        let reader = Task { () -> String? in
            for await change in changes {
                if let record = change.records.first {
                    return try await phone.record(record).row.title
                }
            }
            return nil
        }
        _ = try await phone.report(.hazard("气瓶", category: "gas", at: inTheGrid))
        let title = try await within { try await reader.value }
        XCTAssertEqual(title, "气瓶")
    }

    func testEnormousListsAndTextsAreRefusedAndNothingIsSaved() async throws {
        let phone = try await enrolled("volunteer-1")
        let record = try await phone.report(.hazard("气瓶", category: "gas", at: inTheGrid))
        let me = try await phone.me().member ?? ""
        let envelopes = try await phone.undelivered()
        let long = String(repeating: "长", count: 1_000_000)
        let many = Array(repeating: me, count: 100_000)
        let fields = (0..<100_000).map {
            FieldInput(field: "answer.\($0)", value: .flag(flag: true))
        }

        let calls: [(String, () async throws -> Void)] = [
            ("a long title", { _ = try await phone.report(.hazard(long, at: self.inTheGrid)) }),
            (
                "many fields",
                { _ = try await phone.report(.hazard("x", at: self.inTheGrid, fields: fields)) }
            ),
            ("a long comment", { try await phone.comment(on: record, long) }),
            ("many mentions", { try await phone.comment(on: record, "你好", mentioning: many) }),
            (
                "many attachments",
                {
                    let hashes = Array(repeating: String(repeating: "0", count: 64), count: 100_000)
                    try await phone.act(
                        on: record, MoveInput(movement: "comment", text: "x", attachments: hashes))
                }
            ),
            ("a long id", { _ = try await phone.record(long) }),
            (
                "many stages",
                { _ = try await phone.list(Query(stages: Array(repeating: long, count: 50))) }
            ),
            ("a strange page", { _ = try await phone.list(page: long) }),
        ]
        for (title, call) in calls {
            let error = await thrown(call)
            XCTAssertNotNil(error, "\(title) was not refused")
            XCTAssertNotEqual(error?.kind, .bug, "\(title): \(error?.code ?? "")")
        }
        let after = try await phone.undelivered()
        XCTAssertEqual(after, envelopes)
        let rows = try await phone.list(rows: .max).rows.count
        XCTAssertEqual(rows, 1)
    }

    func testHalfCharactersArriveAsReplacementCharacters() async throws {
        let phone = try await enrolled("volunteer-1")
        let half = String(decoding: [0x6C14, 0xD83D] as [UInt16], as: UTF16.self)
        let record = try await phone.report(.hazard(half, category: "gas", at: inTheGrid))
        let title = try await phone.record(record).row.title
        XCTAssertEqual(title, "气\u{FFFD}")
    }

    func testNumbersOutOfRangeAreRefused() async throws {
        let phone = try await enrolled("volunteer-1")
        let places =
            [(.nan, 0), (0, .infinity), (91, 0), (0, -181), (.greatestFiniteMagnitude, 1)]
            as [(Double, Double)]
        for (lat, lon) in places {
            let place = GeoPosition(
                lat: lat, lon: lon, datum: .wgs84, accuracyM: .max, fixAgeMs: .max)
            let code = await refusal { _ = try await phone.report(.hazard("气瓶", at: place)) }
            XCTAssertTrue(code.hasPrefix("position."), "\(lat), \(lon): \(code)")
        }
        let tally = try await phone.tally(sinceMs: .min, untilMs: .max)
        XCTAssertEqual(tally.recorded, 0)
        let due = try await phone.due(withinMs: .max)
        XCTAssertEqual(due.count, 0)
    }

    func testServerOfAnotherDeploymentChangesNothing() async throws {
        let phone = try await enrolled("volunteer-1")
        let record = try await phone.report(.hazard("气瓶", category: "gas", at: inTheGrid))
        try await testbed().ask("foreign_invitation")
        try await testbed().ask("route", ["to": "foreign"])
        let error = await thrown { try await phone.sync() }
        XCTAssertEqual(error?.kind, .network, error?.code ?? "")
        try await testbed().ask("route", ["to": "own"])
        let report = try await phone.sync()
        XCTAssertTrue(report.equal)
        let view = try await testbed().ask("server_view", ["record": .text(record)])
        XCTAssertEqual(view["known"], true)
    }

    func testSecondProcessIsRefusedAndTheFirstGoesOn() async throws {
        let data = folder.appendingPathComponent("client")
        let vault = try FileVault(folder: data.appendingPathComponent("vault"))
        let device = try await Device.open(
            folder: data.appendingPathComponent("data"), vault: vault)
        let (phone, _) = try await device.openSingle()
        let second = try SampleProgram.run(["--folder", data.path, "list"])
        XCTAssertEqual(second.status, 1)
        XCTAssertTrue(second.errors.hasPrefix("replica.in_use"), second.errors)
        let count = try await phone.count()
        XCTAssertEqual(count, 0)
        try await phone.shut()
        let third = try SampleProgram.run(["--folder", data.path, "list"])
        XCTAssertEqual(third.status, 0, third.errors)
    }

    private func thrown(_ call: () async throws -> Void) async -> OneGridError? {
        do {
            try await call()
            return nil
        } catch {
            return error as? OneGridError
        }
    }
}

private func codeOf(_ call: () async throws -> Void) async -> String {
    do {
        try await call()
        return ""
    } catch {
        return (error as? OneGridError)?.code ?? "\(error)"
    }
}

/// A vault in memory that does something odd before each answer.
private final class OddVault: KeyVault, Sendable {
    private let inner = MemoryVault()
    private let before: @Sendable () throws -> Void

    init(_ before: @escaping @Sendable () throws -> Void) { self.before = before }

    func load(name: String) throws -> Data? {
        try before()
        return try inner.load(name: name)
    }

    func save(name: String, secret: Data) throws {
        try before()
        try inner.save(name: name, secret: secret)
    }

    func remove(name: String) throws {
        try before()
        try inner.remove(name: name)
    }
}

/// A value that another thread sets.
private final class Box<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: Value?

    var value: Value? {
        get { lock.withLock { kept } }
        set { lock.withLock { kept = newValue } }
    }
}
