import Foundation
import OneGrid

/// A vault in memory, for scenarios and tests. An app never uses it, because its secrets end with
/// the process.
public final class MemoryVault: KeyVault, @unchecked Sendable {
    private let lock = NSLock()
    private var secrets: [String: Data] = [:]

    /// An empty vault.
    public init() {}

    /// The secret under this name; `nil` where there is none.
    public func load(name: String) throws -> Data? { lock.withLock { secrets[name] } }

    /// Stores a secret in place of an older one.
    public func save(name: String, secret: Data) throws { lock.withLock { secrets[name] = secret } }

    /// Removes a secret.
    public func remove(name: String) throws {
        _ = lock.withLock { secrets.removeValue(forKey: name) }
    }

    /// Forgets every secret, as a phone does whose keys are lost.
    public func forgetAll() { lock.withLock { secrets = [:] } }

    /// Replaces every secret by other bytes of the same length.
    public func scramble() {
        lock.withLock { secrets = secrets.mapValues { Data($0.map { $0 ^ 0x5A }) } }
    }
}
