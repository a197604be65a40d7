import Foundation
import OneGrid

extension PhoneActor {
    /// Bytes of a read: few, so the scenarios need several reads.
    private static var pieceBytes: UInt32 { 500 }

    /// The verbs of photos and recordings; nil for another verb.
    func callAttachments(_ verb: String, _ with: JSON) async throws -> JSON? {
        let (record, id) = (with["record"].text, with["id"].text ?? "")
        switch verb {
        case "add_attachment":
            let file = URL(fileURLWithPath: with["file"].text ?? "")
            return .text(try await phone.addAttachment(Data(contentsOf: file)).id)
        case "staged_attachments":
            return texts(try await phone.stagedAttachments().map(\.id))
        case "remove_staged": try await phone.removeStaged(id)
        case "attach": try await phone.attach(id, to: record ?? "")
        case "attachment":
            return described(try await phone.attachment(id, of: record))
        case "attachments":
            return texts(try await phone.attachments(of: record ?? "").map(\.id))
        case "thumbnail":
            let picture = try await phone.thumbnail(id, of: record)
            let size: JSON = picture.map { .whole(Int64($0.count)) } ?? .null
            return size
        case "read_attachment": return .text(try await read(id, of: record))
        case "want_attachment": try await phone.wantAttachment(id, of: record ?? "")
        case "refused_attachments":
            return texts(try await phone.refusedAttachments().map(\.id))
        case "send_again": try await phone.sendAgain(id, of: record ?? "")
        case "remove_void_attachment":
            try await phone.removeVoidAttachment(id, of: record ?? "")
        case "set_files_policy":
            let isOnRequest = with["policy"].text == "on_request"
            try await phone.setFilesPolicy(isOnRequest ? .onRequest : .everySync)
        case "set_low_storage": try await phone.setLowStorage(with["low"].flag ?? false)
        case "free_space":
            let bytes = UInt64(clamping: with["bytes"].whole ?? 0)
            return .whole(Int64(try await phone.freeSpace(bytes: bytes)))
        default: return nil
        }
        return .null
    }

    /// Reads a file in small pieces; its bytes in hexadecimal digits.
    private func read(_ id: String, of record: String?) async throws -> String {
        var bytes = Data()
        while true {
            let piece = try await phone.readAttachment(
                id, of: record, offset: UInt64(bytes.count), bytesMax: Self.pieceBytes)
            if piece.isEmpty { break }
            bytes += piece
        }
        return bytes.map { String(format: "%02x", $0) }.joined()
    }
}

private func described(_ one: AttachmentInfo) -> JSON {
    [
        "id": .text(one.id), "record": JSON(one.record), "media": .text(one.media.code),
        "media_type": .text(one.mediaType), "size": .whole(Int64(one.size)),
        "width": JSON(one.width), "height": JSON(one.height),
        "duration_ms": JSON(one.durationMs), "state": .text(snakeCase(one.state)),
        "confirmed": .flag(one.confirmed), "delivered": .flag(one.deliveredMs != nil),
        "refusal": JSON(one.refusal?.code), "has_thumbnail": .flag(one.hasThumbnail),
    ]
}
