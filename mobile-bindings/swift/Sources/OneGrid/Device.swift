import Foundation
import OneGridFFI

/// One phone: a folder and a vault, and the accounts of the members who share it.
///
/// ```swift
/// let device = try await Device.open(folder: folder, vault: vault)
/// let (phone, wayBack) = try await device.openSingle()
/// ```
///
/// Keep one `Device` for each folder while the app runs. On iOS the folder lies in the app's own
/// container, never in an App Group, because iOS ends a suspended app that holds a lock there.
public final class Device: Sendable {
    private let core: OneGridFFI.Device
    private let lanes: Lanes

    private init(core: OneGridFFI.Device, lanes: Lanes) {
        self.core = core
        self.lanes = lanes
    }

    /// Opens the folder of the app and its vault. Nothing is unlocked yet.
    ///
    /// - Parameters:
    ///   - folder: A folder of the app's own; it is made where there is none. It may lie in a
    ///     backup, because its files are unreadable without the vault.
    ///   - vault: A safe place outside every backup: `KeychainVault` on Apple's systems.
    ///   - tlsRootsPEM: The authorities that may certify the server, for a deployment with its own;
    ///     without them Mozilla's list holds.
    ///   - plainHTTPAllowed: Lets `http://` servers be used that are not on this device. For tests
    ///     alone.
    /// - Throws: `vault.storage` where the folder cannot be made or read.
    public static func open(
        folder: URL, vault: any KeyVault, tlsRootsPEM: Data? = nil, plainHTTPAllowed: Bool = false
    ) async throws -> Device {
        let lanes = Lanes()
        let config = DeviceConfig(
            folder: folder.path, tlsRootsPem: tlsRootsPEM, plainHttpAllowed: plainHTTPAllowed)
        return try await lanes.local.run {
            #if os(iOS)
                // New files inherit it, the write-ahead log too: a sync in the background needs
                // them.
                try FileManager.default.createDirectory(
                    at: folder, withIntermediateDirectories: true,
                    attributes: [
                        .protectionKey: FileProtectionType.completeUntilFirstUserAuthentication
                    ])
            #endif
            return Device(core: try openDevice(config: config, vault: vault), lanes: lanes)
        }
    }

    /// The accounts of this device, to choose from. Needs no PIN.
    public func accounts() async throws -> [Account] {
        try await lanes.local.run { [core] in try core.accounts() }
    }

    /// Adds an account for one more member. The member enrols later.
    ///
    /// - Parameters:
    ///   - name: The name to choose it by, 1 to 40 characters.
    ///   - pin: 4 to 32 characters; without one the account opens without.
    /// - Throws: `vault.bad_name`, `vault.bad_pin`, `vault.accounts_full`, and the errors of the
    ///   vault.
    public func addAccount(name: String, pin: String? = nil) async throws -> Account {
        try await lanes.local.run { [core] in try core.addAccount(name: name, pin: pin) }
    }

    /// Unlocks an account and opens its replica. Where files are damaged or lost, it recovers the
    /// work, deletes nothing, and reports its steps.
    ///
    /// - Throws: `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait` after five wrong PINs;
    ///   `vault.key_gone` and `replica.wrong_key` (then ``startOver(slot:pin:)`` helps);
    ///   `vault.locked`, `vault.no_account`, `replica.in_use`, `replica.disk_full`,
    ///   `replica.newer_schema`.
    public func openAccount(
        slot: String, pin: String? = nil
    ) async throws -> (phone: Phone, wayBack: WayBack) {
        try await opened { core in try core.openAccount(slot: slot, pin: pin) }
    }

    /// Opens the only account of this device, and makes it where there is none. For phones that are
    /// not shared.
    ///
    /// - Throws: as ``openAccount(slot:pin:)``, and `device.several_accounts`.
    public func openSingle() async throws -> (phone: Phone, wayBack: WayBack) {
        try await opened { core in try core.openSingle() }
    }

    /// The way out of a lost key or a forgotten PIN: sets the account aside with its files and
    /// makes an empty one of the same name, which the member enrols again. Delivered work comes
    /// back with the first sync.
    ///
    /// - Throws: `vault.no_account`, `vault.bad_pin`, `replica.in_use` while the account is open.
    public func startOver(
        slot: String, pin: String? = nil
    ) async throws -> (phone: Phone, wayBack: WayBack) {
        try await opened { core in try core.startOver(slot: slot, pin: pin) }
    }

    /// Gives an account another PIN, or none.
    ///
    /// - Throws: `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait`, `vault.bad_pin`.
    public func changePIN(slot: String, from old: String?, to new: String?) async throws {
        try await lanes.local.run { [core] in try core.changePin(slot: slot, old: old, new: new) }
    }

    /// Deletes an account with its keys and files, finally.
    ///
    /// - Parameters:
    ///   - slot: The account.
    ///   - pin: Its PIN, where it has one.
    ///   - discardUndelivered: Deletes even work that no server has; without it such work prevents
    ///     the deletion.
    /// - Throws: `phone.undelivered`, `replica.in_use` while the account is open, and the errors of
    ///   ``openAccount(slot:pin:)``.
    public func wipeAccount(
        slot: String, pin: String? = nil, discardUndelivered: Bool = false
    ) async throws {
        try await lanes.local.run { [core] in
            try core.wipeAccount(slot: slot, pin: pin, discardUndelivered: discardUndelivered)
        }
    }

    private func opened(
        _ open: @escaping @Sendable (OneGridFFI.Device) throws -> Opened
    ) async throws -> (phone: Phone, wayBack: WayBack) {
        let opened = try await lanes.local.finish { [core] in try open(core) }
        return (Phone(core: opened.phone), opened.wayBack)
    }
}
