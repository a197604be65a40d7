import Foundation
import OneGrid

/// A device of a scenario: a folder, a vault in memory, and the verbs of devices.
struct DeviceActor: Sendable {
    let device: Device
    private let folder: URL
    private let vault = MemoryVault()

    init(folder: URL) async throws {
        self.folder = folder
        device = try await Device.open(folder: folder, vault: vault)
    }

    /// Makes the call, and gives the phone that it opens. `nil` for a verb of phones.
    func call(_ verb: String, _ with: JSON) async throws -> (JSON, Phone?)? {
        let slot = with["slot"].text ?? ""
        let pin = with["pin"].text
        switch verb {
        case "open":
            return named(try await device.openSingle())
        case "open_account":
            return named(try await device.openAccount(slot: slot, pin: pin))
        case "start_over":
            return named(try await device.startOver(slot: slot, pin: pin))
        case "accounts":
            let accounts = try await device.accounts().map { account -> JSON in
                [
                    "slot": .text(account.slot), "name": .text(account.name),
                    "has_pin": .flag(account.hasPin),
                ]
            }
            return (.list(accounts), nil)
        case "add_account":
            let account = try await device.addAccount(name: with["name"].text ?? "", pin: pin)
            return (.text(account.slot), nil)
        case "change_pin":
            try await device.changePIN(slot: slot, from: with["old"].text, to: with["new"].text)
            return (.null, nil)
        case "wipe_account":
            let discard = with["discard_undelivered"].flag ?? false
            try await device.wipeAccount(slot: slot, pin: pin, discardUndelivered: discard)
            return (.null, nil)
        case "lose_key":
            vault.forgetAll()
            return (.null, nil)
        case "folder":
            return (.text(folder.path), nil)
        default:
            return nil
        }
    }

    private func named(_ opened: (phone: Phone, wayBack: WayBack)) -> (JSON, Phone?) {
        (.text(snakeCase(opened.wayBack.kind)), opened.phone)
    }
}

/// The name of an enum's case in snake_case.
func snakeCase(_ value: some Any) -> String {
    var name = ""
    for letter in "\(value)" {
        if letter.isUppercase { name += "_" }
        name += letter.lowercased()
    }
    return name
}
