package org.onegrid.sample

import org.onegrid.AttachmentState
import org.onegrid.MoveInput
import org.onegrid.Phone
import org.onegrid.addAttachment
import org.onegrid.attachments
import org.onegrid.outcome
import org.onegrid.thumbnail
import org.onegrid.wantAttachment

// The README takes its code from this file, as from QuickStart.kt.

/** Handles a hazard on the spot, with a photo from before the work and one from after. */
suspend fun onTheSpot(
    phone: Phone,
    record: String,
    first: ByteArray,
    second: ByteArray,
    show: (ByteArray?) -> Unit,
) {
    // README: photos
    val before = listOf(phone.addAttachment(first).id)
    val after = listOf(phone.addAttachment(second).id)
    val handled = MoveInput(movement = "handled_on_spot", before = before, after = after)
    phone.act(record, handled)
    outcome { phone.syncOnce() }
    for (photo in phone.attachments(record)) {
        show(phone.thumbnail(record, photo.id))
        if (photo.state == AttachmentState.ABSENT) phone.wantAttachment(record, photo.id)
    }
    // README end
}
