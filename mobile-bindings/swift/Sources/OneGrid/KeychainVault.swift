#if canImport(Security)
    import Foundation
    import OneGridFFI
    import Security

    /// A vault in the Keychain of this device.
    ///
    /// Secrets are readable after the first unlock since the device was started, so a sync in the
    /// background works. They never leave the device: neither iCloud nor a backup to another device
    /// carries them.
    public final class KeychainVault: KeyVault, Sendable {
        private let service: String

        /// A vault whose items carry this service name. One app needs one.
        public init(service: String = "org.onegrid.vault") {
            self.service = service
        }

        /// The secret under this name; `nil` where there is none.
        public func load(name: String) throws -> Data? {
            var query = item(name)
            query[kSecReturnData] = true
            query[kSecMatchLimit] = kSecMatchLimitOne
            var found: CFTypeRef?
            let status = SecItemCopyMatching(query as CFDictionary, &found)
            if status == errSecItemNotFound { return nil }
            try check(status)
            return found as? Data
        }

        /// Stores a secret in place of an older one.
        public func save(name: String, secret: Data) throws {
            let values: [CFString: Any] = [
                kSecValueData: secret,
                kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
            ]
            let new = item(name).merging(values) { _, value in value }
            var status = SecItemAdd(new as CFDictionary, nil)
            if status == errSecDuplicateItem {
                status = SecItemUpdate(item(name) as CFDictionary, values as CFDictionary)
            }
            try check(status)
        }

        /// Removes a secret. A name without one is no error.
        public func remove(name: String) throws {
            let status = SecItemDelete(item(name) as CFDictionary)
            if status != errSecItemNotFound { try check(status) }
        }

        private func item(_ name: String) -> [CFString: Any] {
            [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: service,
                kSecAttrAccount: name,
                kSecAttrSynchronizable: false,
                kSecUseDataProtectionKeychain: true,
            ]
        }

        private func check(_ status: OSStatus) throws {
            switch status {
            case errSecSuccess: return
            case errSecInteractionNotAllowed, errSecNotAvailable: throw VaultError.Locked
            default: throw VaultError.Failed(reason: "status \(status)")
            }
        }
    }
#endif
