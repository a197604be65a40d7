package org.onegrid.sample

import org.onegrid.Hotspot
import org.onegrid.MeetingReport
import org.onegrid.OneGrid
import org.onegrid.Phone

// The README takes its code from this file, as from QuickStart.kt.

/** Shows a code, and waits for the phone that scans it. */
suspend fun showCode(phone: Phone, address: String, show: (String) -> Unit): MeetingReport {
    // README: show a code
    val met = phone.listenForMeeting(address).use { listener ->
        show(listener.code()) // as a QR code
        phone.acceptMeeting(listener)
    }
    // README end
    return met
}

/** Meets the phone that shows the code, and tells what came. */
suspend fun scanCode(
    phone: Phone,
    code: String,
    join: suspend (Hotspot) -> Unit,
    tell: (String) -> Unit,
): MeetingReport {
    // README: scan a code
    OneGrid.checkMeetingCode(code).hotspot?.let { join(it) }
    val met = phone.meet(code)
    tell("交出 ${met.given} 条，收到 ${met.taken} 条")
    if (met.parcelTaken) tell("代对方带一个密封包裹去服务器")
    // README end
    return met
}

/** The phone that scanned a request gives the file; [share] opens the share sheet. */
suspend fun answerRequest(phone: Phone, request: String, share: (ByteArray) -> Unit) {
    // README: a file
    val made = phone.makeBundle(request.encodeToByteArray())
    share(made.file) // application/vnd.onegrid.bundle, with the ending .onegrid
    // README end
}

/** The phone that asked shows its request, and imports the file that arrives. */
suspend fun askForFile(phone: Phone, show: (String) -> Unit, arrived: suspend () -> ByteArray): MeetingReport {
    // README: ask for a file
    show(phone.meetingRequest()) // as a QR code; it is valid for seven days
    val met = phone.importBundle(arrived())
    // README end
    return met
}
