import Foundation
import OneGrid
import XCTest

final class VaultTests: PhoneTestCase {
    private var place: URL { folder.appendingPathComponent("vault") }

    func testSecretsOutliveTheVaultAndAreReplacedWhole() throws {
        try FileVault(folder: place).save(name: "a.key-1", secret: Data([1, 2, 3]))
        try FileVault(folder: place).save(name: "a.key-1", secret: Data([4]))
        try FileVault(folder: place).save(name: "empty", secret: Data())
        let vault = try FileVault(folder: place)
        XCTAssertEqual(try vault.load(name: "a.key-1"), Data([4]))
        XCTAssertEqual(try vault.load(name: "empty"), Data())
        XCTAssertNil(try vault.load(name: "other"))
    }

    func testRemovedSecretIsGoneAndRemovingAgainIsNoError() throws {
        let vault = try FileVault(folder: place)
        try vault.save(name: "key", secret: Data([1]))
        try vault.remove(name: "key")
        try vault.remove(name: "key")
        XCTAssertNil(try vault.load(name: "key"))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: place.path), [])
    }

    func testFilesAreTheOwnersAloneAndNothingElseIsLeft() throws {
        let vault = try FileVault(folder: place)
        for secret in UInt8(0)..<20 { try vault.save(name: "key", secret: Data([secret])) }
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(atPath: place.path), ["key.secret"])
        let file = place.appendingPathComponent("key.secret").path
        XCTAssertEqual(try permissions(of: file), 0o600)
        XCTAssertEqual(try permissions(of: place.path), 0o700)
    }

    func testNamesThatLeaveTheFolderAreRefused() throws {
        let vault = try FileVault(folder: place)
        for name in [
            "", "..", ".hidden", "a/b", "../a", "A", "é", "a b", String(repeating: "a", count: 65),
        ] {
            XCTAssertThrowsError(try vault.save(name: name, secret: Data([1])), name)
            XCTAssertThrowsError(try vault.load(name: name), name)
            XCTAssertThrowsError(try vault.remove(name: name), name)
        }
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: place.path), [])
    }

    func testVaultWithoutAPlaceSaysSo() throws {
        let file = folder.appendingPathComponent("file")
        try Data().write(to: file)
        XCTAssertThrowsError(try FileVault(folder: file.appendingPathComponent("vault"))) { error in
            guard case VaultError.Failed = error else { return XCTFail("\(error)") }
        }
    }

    func testPhoneOpensAgainWithItsVault() async throws {
        let vault = try FileVault(folder: place)
        let device = try await device("phone", vault: vault)
        let (first, made) = try await device.openSingle()
        XCTAssertEqual(made.kind, .created)
        let me = try await first.me()
        try await first.shut()
        let (again, opened) = try await device.openSingle()
        XCTAssertEqual(opened.kind, .opened)
        let meAgain = try await again.me()
        XCTAssertEqual(meAgain.device, me.device)
    }

    private func permissions(of path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
}
