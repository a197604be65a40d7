package org.onegrid.sample.scenario

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.jsonPrimitive
import org.onegrid.AttachmentInfo
import org.onegrid.FilesPolicy
import org.onegrid.Phone
import org.onegrid.addAttachment
import org.onegrid.attach
import org.onegrid.attachment
import org.onegrid.attachments
import org.onegrid.freeSpace
import org.onegrid.readAttachment
import org.onegrid.refusedAttachments
import org.onegrid.removeStaged
import org.onegrid.removeVoidAttachment
import org.onegrid.sendAgain
import org.onegrid.setFilesPolicy
import org.onegrid.setLowStorage
import org.onegrid.stagedAttachments
import org.onegrid.thumbnail
import org.onegrid.wantAttachment
import java.io.File

/** Bytes of a read: few, so the scenarios need several reads. */
private const val PIECE_BYTES = 500

/** The verbs of photos and recordings; `null` for another verb. */
internal suspend fun attachmentCall(phone: Phone, verb: String, with: JsonObject): JsonElement? = when (verb) {
    "add_attachment" -> json(phone.addAttachment(File(with.needed("file")).readBytes()).id)
    "staged_attachments" -> json(phone.stagedAttachments().map { it.id })
    "remove_staged" -> nothing { phone.removeStaged(with.needed("id")) }
    "attach" -> nothing { phone.attach(with.needed("record"), with.needed("id")) }
    "attachment" -> shown(phone.attachment(with.text("record"), with.needed("id")))
    "attachments" -> json(phone.attachments(with.needed("record")).map { it.id })
    "thumbnail" -> json(phone.thumbnail(with.text("record"), with.needed("id"))?.size)
    "read_attachment" -> json(read(phone, with.text("record"), with.needed("id")))
    "want_attachment" -> nothing { phone.wantAttachment(with.needed("record"), with.needed("id")) }
    "refused_attachments" -> json(phone.refusedAttachments().map { it.id })
    "send_again" -> nothing { phone.sendAgain(with.needed("record"), with.needed("id")) }
    "remove_void_attachment" -> nothing { phone.removeVoidAttachment(with.needed("record"), with.needed("id")) }
    "set_files_policy" -> nothing { phone.setFilesPolicy(FilesPolicy.valueOf(with.needed("policy").uppercase())) }
    "set_low_storage" -> nothing { phone.setLowStorage(with.getValue("low").jsonPrimitive.boolean) }
    "free_space" -> json(phone.freeSpace(with.number("bytes") ?: 0))
    else -> null
}

private inline fun nothing(act: () -> Unit): JsonElement {
    act()
    return NOTHING
}

/** Reads a file in small pieces; its bytes in hexadecimal digits. */
private suspend fun read(phone: Phone, record: String?, id: String): String {
    val hex = StringBuilder()
    var offset = 0L
    while (true) {
        val piece = phone.readAttachment(record, id, offset, PIECE_BYTES)
        if (piece.isEmpty()) return hex.toString()
        piece.forEach { hex.append("%02x".format(it)) }
        offset += piece.size
    }
}

private fun shown(one: AttachmentInfo) = json(
    mapOf(
        "id" to one.id,
        "record" to one.record,
        "media" to one.media.code,
        "media_type" to one.mediaType,
        "size" to one.size,
        "width" to one.width,
        "height" to one.height,
        "duration_ms" to one.durationMs,
        "state" to one.state,
        "confirmed" to one.confirmed,
        "delivered" to (one.deliveredMs != null),
        "refusal" to one.refusal?.code,
        "has_thumbnail" to one.hasThumbnail,
    ),
)
