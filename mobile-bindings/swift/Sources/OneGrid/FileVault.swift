import Foundation
import OneGridFFI

/// A vault of files that only their owner can read, for Linux, command lines and tests.
///
/// The folder must lie outside every backup. Apps for Apple's systems use `KeychainVault`.
public final class FileVault: KeyVault, Sendable {
    private let folder: String

    /// A vault in this folder, which is made where there is none.
    ///
    /// - Throws: ``VaultError`` `Failed` where the folder cannot be made.
    public init(folder: URL) throws {
        self.folder = folder.path
        do {
            try FileManager.default.createDirectory(
                atPath: self.folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw VaultError.Failed(reason: "the folder can not be made")
        }
    }

    /// The secret under this name; `nil` where there is none.
    public func load(name: String) throws -> Data? {
        let path = try path(of: name)
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 {
            if errno == ENOENT { return nil }
            throw failed("open")
        }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        do { return try handle.readToEnd() ?? Data() } catch { throw failed("read") }
    }

    /// Stores a secret in place of an older one. It is whole on disk when this returns.
    public func save(name: String, secret: Data) throws {
        let path = try path(of: name)
        let next = "\(path).\(UUID().uuidString).next"
        let file = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failed("create") }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: secret)
            try handle.synchronize()
            try handle.close()
        } catch {
            unlink(next)
            throw failed("write")
        }
        guard rename(next, path) == 0 else {
            unlink(next)
            throw failed("rename")
        }
        try syncFolder()
    }

    /// Removes a secret. A name without one is no error.
    public func remove(name: String) throws {
        if unlink(try path(of: name)) != 0 {
            if errno == ENOENT { return }
            throw failed("remove")
        }
        try syncFolder()
    }

    /// Names become file names, so those that could leave the folder are refused.
    private func path(of name: String) throws -> String {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard allowed, (1...64).contains(name.utf8.count), !name.hasPrefix(".") else {
            throw VaultError.Failed(reason: "a name that no secret has")
        }
        return "\(folder)/\(name).secret"
    }

    private func syncFolder() throws {
        let handle = open(folder, O_RDONLY | O_CLOEXEC)
        guard handle >= 0 else { throw failed("open the folder") }
        defer { close(handle) }
        guard fsync(handle) == 0 else { throw failed("sync the folder") }
    }

    private func failed(_ step: String) -> VaultError {
        VaultError.Failed(reason: "\(step): errno \(errno)")
    }
}
