package org.onegrid

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.map

// Photos and recordings of a phone.

/** The largest file that a phone keeps, in bytes. */
private const val WHOLE_BYTES = 8 * 1024 * 1024

/**
 * Adds the bytes of a photo (JPEG) or a recording (AAC in MP4) as a camera, recorder or file picker gave them, and
 * gives it as staged. The content decides which of both it is. The phone keeps a clean copy without place, time and
 * device, sealed on the disk; once this returns, it survives power loss. It waits for its first use in a report,
 * move, answer, comment or [attach], and is removed with a notice when it was not used for 7 days.
 *
 * @param bytes at most 32 MiB; the clean copy has at most 8 MiB, a photo at most 25 million pixels.
 * @throws OneGridException.BadInput with `media.needs_jpeg` for HEIC, PNG and other pictures (on Android `HeicToJpeg`
 *   converts them), `media.needs_m4a` for other sound, `media.unknown`, `media.damaged`, `media.too_large`,
 *   `media.too_many_pixels`.
 * @throws OneGridException.Storage with `media.disk_full`.
 */
suspend fun Phone.addAttachment(bytes: ByteArray): AttachmentInfo = blocking {
    // Checked here, because the call copies the bytes.
    if (bytes.size.toULong() > rawAttachmentInputBytesMax()) {
        throw failure("media.too_large", null, OneGridException::BadInput)
    }
    raw.addAttachment(bytes)
}

/** The photos and recordings that wait for their first use, oldest first. */
suspend fun Phone.stagedAttachments(): List<AttachmentInfo> = blocking { raw.stagedAttachments() }

/**
 * Removes a photo or recording that waits for its first use.
 *
 * @throws OneGridException.NotFound with `media.unknown_id`.
 */
suspend fun Phone.removeStaged(id: String) = blocking { raw.removeStaged(id) }

/**
 * Adds a staged photo or recording to a record without further words.
 *
 * @throws OneGridException.NotFound with `media.unknown_id`, `replica.no_record`.
 * @throws OneGridException.Denied with `may.*`.
 */
suspend fun Phone.attach(record: String, id: String) = blocking { raw.attach(record, id) }

/**
 * A photo or recording of a record; a staged one where [record] is `null`.
 *
 * @throws OneGridException.NotFound with `media.unknown_id`.
 */
suspend fun Phone.attachment(record: String?, id: String): AttachmentInfo = blocking { raw.attachment(record, id) }

/**
 * The photos and recordings of a record, oldest first, about 300 at most.
 *
 * @throws OneGridException.NotFound with `replica.no_record`.
 */
suspend fun Phone.attachments(record: String): List<AttachmentInfo> = blocking { raw.attachments(record) }

/**
 * The photos and recordings of a record, now and whenever one of them changes: added, delivered, arrived, removed. A
 * record that is not on the phone has none. Completes when the phone is closed.
 */
fun Phone.attachmentsFlow(record: String): Flow<List<AttachmentInfo>> = changes
    .filter { it.all || record in it.records }
    .map {
        try {
            attachments(record)
        } catch (_: OneGridException.NotFound) {
            emptyList()
        }
    }
    .distinctUntilChanged()

/**
 * The small picture of a photo: JPEG, at most 6 KiB and 224 pixels, upright; `null` for a recording. It arrives with
 * the record, before the photo.
 *
 * @param record `null` for a staged photo.
 * @throws OneGridException.NotFound with `media.unknown_id`.
 */
suspend fun Phone.thumbnail(record: String?, id: String): ByteArray? = blocking { raw.thumbnail(record, id) }

/**
 * Bytes of a photo or recording that is on this phone; without limits, the whole file. The answer is shorter than
 * [bytesMax] only at the end of the file, and empty behind it.
 *
 * @param record `null` for a staged one.
 * @param bytesMax 1 to 8 MiB.
 * @throws OneGridException.NotFound with `media.unknown_id`; `media.absent` if the file is not on this phone
 *   ([wantAttachment] asks for it).
 * @throws OneGridException.Storage with `media.unreadable` if it is damaged. A damaged file that the server has is
 *   asked for again by itself.
 */
suspend fun Phone.readAttachment(
    record: String?,
    id: String,
    offset: Long = 0,
    bytesMax: Int = WHOLE_BYTES,
): ByteArray = blocking { raw.readAttachment(record, id, offset.toULong(), bytesMax.toUInt()) }

/**
 * Asks for a photo or recording that is not on this phone. The next sync that transfers files fetches it.
 *
 * @throws OneGridException.NotFound with `media.unknown_id`.
 */
suspend fun Phone.wantAttachment(record: String, id: String) = blocking { raw.wantAttachment(record, id) }

/**
 * The person's photos and recordings that stay on this phone although the server does not take them, oldest first: it
 * refused the file ([sendAgain]), or the words about it do not count or their record is no longer here
 * ([removeVoidAttachment]).
 */
suspend fun Phone.refusedAttachments(): List<AttachmentInfo> = blocking { raw.refusedAttachments() }

/**
 * Sends a file again that the server refused, or that could not be read. The next sync that transfers files tries it
 * once more.
 *
 * @throws OneGridException.NotFound with `media.unknown_id` if no refused file of the record has this id.
 */
suspend fun Phone.sendAgain(record: String, id: String) = blocking { raw.sendAgain(record, id) }

/**
 * Removes the person's own photo or recording that no record shows. It may be the only copy, so ask before.
 *
 * @throws OneGridException.NotFound with `media.unknown_id` if a record shows it, or another person added it.
 */
suspend fun Phone.removeVoidAttachment(record: String, id: String) = blocking { raw.removeVoidAttachment(record, id) }

/**
 * Notes whether the phone is short of storage, until the phone is closed. While it is, files that the server has are
 * removed after each sync; their small pictures stay.
 */
suspend fun Phone.setLowStorage(low: Boolean) = blocking { raw.setLowStorage(low) }

/**
 * Removes files that the server confirmed, the one opened longest ago first, until [bytes] are free. Gives the bytes
 * that were freed. Staged files and files that wait to be sent stay.
 */
suspend fun Phone.freeSpace(bytes: Long): Long = blocking { raw.freeSpace(bytes.toULong()).toLong() }

/**
 * Says whether syncs transfer photos and recordings, until the phone is closed. With [FilesPolicy.ON_REQUEST] only
 * [syncFiles] transfers them.
 */
suspend fun Phone.setFilesPolicy(policy: FilesPolicy) = blocking { raw.setFilesPolicy(policy) }

/**
 * Syncs as [Phone.syncOnce] does, with photos and recordings under each [FilesPolicy], because the person asked for
 * them. Fails like [Phone.syncOnce].
 */
suspend fun Phone.syncFiles(budget: SyncBudget = SyncBudget()): SyncReport =
    network(raw::cancel) { raw.syncFiles(budget) }
