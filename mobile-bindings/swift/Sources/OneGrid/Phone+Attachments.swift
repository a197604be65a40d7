import Foundation
import OneGridFFI

// Photos and recordings of a phone.

/// The largest file that a phone keeps, in bytes.
private let wholeBytes: UInt32 = 8 * 1_024 * 1_024

extension Phone {
    /// Adds the bytes of a photo (JPEG) or a recording (AAC in MP4) and gives it as staged. The
    /// content decides which of both it is. On iOS take `UIImage.jpegData(compressionQuality:)`,
    /// because the camera makes HEIC.
    ///
    /// The phone keeps a clean copy without place, time and device, sealed on the disk; when the
    /// call returns, it survives power loss. It waits for its first use in a report, move, answer,
    /// comment or ``attach(_:to:)``, and is removed with a notice when it was not used for 7 days.
    ///
    /// - Parameter bytes: At most 32 MiB. The clean copy has at most 8 MiB, a photo at most 25
    ///   million pixels.
    /// - Throws: `media.needs_jpeg` for HEIC, PNG and other pictures, `media.needs_m4a` for other
    ///   sound, `media.unknown`, `media.damaged`, `media.too_large`, `media.too_many_pixels`,
    ///   `media.disk_full`.
    public func addAttachment(_ bytes: Data) async throws -> AttachmentInfo {
        try await local { core in
            // Checked here, because the call copies the bytes.
            let bytesMax = try attachmentInputBytesMax()
            guard bytes.count <= bytesMax else { throw OneGridError.tooLarge }
            return try core.addAttachment(bytes: bytes)
        }
    }

    /// The photos and recordings that wait for their first use, oldest first.
    public func stagedAttachments() async throws -> [AttachmentInfo] {
        try await local { core in try core.stagedAttachments() }
    }

    /// Removes a photo or recording that waits for its first use.
    ///
    /// - Throws: `media.unknown_id`.
    public func removeStaged(_ id: String) async throws {
        try await local { core in try core.removeStaged(id: id) }
    }

    /// Adds a staged photo or recording to a record without further words.
    ///
    /// - Throws: `media.unknown_id`, `replica.no_record`, `may.*`.
    public func attach(_ id: String, to record: String) async throws {
        try await local { core in try core.attach(record: record, id: id) }
    }

    /// A photo or recording of a record; without a record, a staged one.
    ///
    /// - Throws: `media.unknown_id`.
    public func attachment(_ id: String, of record: String? = nil) async throws -> AttachmentInfo {
        try await local { core in try core.attachment(record: record, id: id) }
    }

    /// The photos and recordings of a record, oldest first, about 300 at most.
    ///
    /// - Throws: `replica.no_record`.
    public func attachments(of record: String) async throws -> [AttachmentInfo] {
        try await local { core in try core.attachments(record: record) }
    }

    /// The small picture of a photo: JPEG, at most 6 KiB and 224 pixels, upright; nil for a
    /// recording. It arrives with the record, before the photo. Without a record, the photo is a
    /// staged one.
    ///
    /// - Throws: `media.unknown_id`.
    public func thumbnail(_ id: String, of record: String? = nil) async throws -> Data? {
        try await local { core in try core.thumbnail(record: record, id: id) }
    }

    /// Bytes of a photo or recording that is on this phone; without limits, the whole file.
    ///
    /// - Parameters:
    ///   - id: The photo or recording.
    ///   - record: Its record; without one, it is staged.
    ///   - offset: The first byte, from 0.
    ///   - bytesMax: 1 to 8 MiB. The answer is shorter only at the end of the file, and empty
    ///     behind it.
    /// - Throws: `media.unknown_id`; `media.absent` if the file is not on this phone
    ///   (``wantAttachment(_:of:)`` asks for it); `media.unreadable` if it is damaged. A damaged
    ///   file that the server has is asked for again by itself.
    public func readAttachment(
        _ id: String, of record: String? = nil, offset: UInt64 = 0, bytesMax: UInt32? = nil
    ) async throws -> Data {
        try await local { core in
            try core.readAttachment(
                record: record, id: id, offset: offset, bytesMax: bytesMax ?? wholeBytes)
        }
    }

    /// Asks for a photo or recording that is not on this phone. The next sync that transfers files
    /// fetches it.
    ///
    /// - Throws: `media.unknown_id`.
    public func wantAttachment(_ id: String, of record: String) async throws {
        try await local { core in try core.wantAttachment(record: record, id: id) }
    }

    /// The person's photos and recordings that stay on this phone although the server does not
    /// take them, oldest first: it refused the file (``sendAgain(_:of:)``), or the words about it
    /// do not count or their record is no longer here (``removeVoidAttachment(_:of:)``).
    public func refusedAttachments() async throws -> [AttachmentInfo] {
        try await local { core in try core.refusedAttachments() }
    }

    /// Sends a file again that the server refused, or that could not be read. The next sync that
    /// transfers files tries it once more.
    ///
    /// - Throws: `media.unknown_id` if no refused file of the record has this id.
    public func sendAgain(_ id: String, of record: String) async throws {
        try await local { core in try core.sendAgain(record: record, id: id) }
    }

    /// Removes the person's own photo or recording that no record shows. It may be the only copy,
    /// so ask before.
    ///
    /// - Throws: `media.unknown_id` if a record shows it, or another person added it.
    public func removeVoidAttachment(_ id: String, of record: String) async throws {
        try await local { core in try core.removeVoidAttachment(record: record, id: id) }
    }

    /// Notes whether the phone is short of storage, until the phone is shut. While it is, files
    /// that the server has are removed after each sync; their small pictures stay.
    public func setLowStorage(_ isLow: Bool) async throws {
        try await local { core in try core.setLowStorage(low: isLow) }
    }

    /// Removes files that the server confirmed, the one opened longest ago first, until so many
    /// bytes are free. Gives the bytes that were freed. Staged files and files that wait to be sent
    /// stay.
    @discardableResult
    public func freeSpace(bytes: UInt64) async throws -> UInt64 {
        try await local { core in try core.freeSpace(bytes: bytes) }
    }

    /// Says whether syncs transfer photos and recordings, until the phone is shut. With
    /// `onRequest` only ``syncFiles(timeMs:bytes:)`` transfers them.
    public func setFilesPolicy(_ policy: FilesPolicy) async throws {
        try await local { core in try core.setFilesPolicy(policy: policy) }
    }

    /// Syncs as ``sync(timeMs:bytes:)`` does, with photos and recordings under each
    /// ``FilesPolicy``, because the person asked for them.
    ///
    /// - Parameters:
    ///   - timeMs: The time that it may take, milliseconds; without it there is no limit.
    ///   - bytes: The bytes that it may use both ways; without it there is no limit.
    /// - Throws: the errors of ``sync(timeMs:bytes:)``.
    @discardableResult
    public func syncFiles(timeMs: UInt64? = nil, bytes: UInt64? = nil) async throws -> SyncReport {
        let budget = SyncBudget(timeMs: timeMs, bytes: bytes)
        return try await overNetwork { core in try core.syncFiles(budget: budget) }
    }
}
