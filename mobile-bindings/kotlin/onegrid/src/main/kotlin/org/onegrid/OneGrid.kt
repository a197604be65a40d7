package org.onegrid

/** Functions that need no phone: versions, sentences, reading an invitation, the log. */
object OneGrid {
    /** The version of the core, such as `0.1.0`. */
    val version: String
        get() = guarded { rawVersion() }

    /** Every code of an error that has a sentence. */
    val errorCodes: List<String>
        get() = guarded { rawErrorCodes() }

    /** The sentence of [code] in [language]; the code itself if it has none. */
    fun sentence(code: String, language: Language): String = guarded { rawSentence(code, language) }

    /**
     * Reads an invitation (the text of a QR code, or a typed code) without redeeming it, so that an app can tell
     * at once that a QR code is none.
     *
     * @throws OneGridException.BadInput with `invitation.length`, `invitation.character`, `invitation.typo` or
     *   `invitation.not_ours`.
     */
    fun checkInvitation(text: String): InvitationInfo = guarded { rawCheckInvitation(text) }

    /**
     * Reads the code of a meeting, so that the app can join its hotspot before it calls [Phone.meet].
     *
     * @throws OneGridException.BadInput with `meeting.bad_code`.
     */
    fun checkMeetingCode(code: String): MeetingCodeInfo = guarded { rawCheckMeetingCode(code) }

    /**
     * Hands the lines of the log to [sink] from now on, in place of an earlier one. They hold codes and counts,
     * never content, names or positions. The sink is called on one thread of the core; lines that come faster
     * than it takes them are counted and left out. Its exceptions are dropped.
     */
    fun log(level: LogLevel, sink: (LogLine) -> Unit) = guarded {
        rawSetLogSink(
            object : LogSink {
                override fun log(line: LogLine) = listening { sink(line) }
            },
            level,
        )
    }

    /** Ends the log. */
    fun stopLog() = guarded { rawClearLogSink() }
}

/** Runs a callback of the host. Any exception becomes the one error that the core expects. */
internal inline fun listening(call: () -> Unit) {
    try {
        call()
    } catch (error: Throwable) {
        // Only the class passes, because a message may hold a person's words.
        throw ListenerException.Failed(error.javaClass.simpleName)
    }
}
