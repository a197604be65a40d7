package org.onegrid

/**
 * Waits for other phones under one shown code, made by [Phone.listenForMeeting]. Show [code] as a QR code and call
 * [Phone.acceptMeeting]. Close it when the code is no longer shown.
 */
class MeetingListener internal constructor(internal val raw: RawMeetingListener) : AutoCloseable {
    /**
     * The text of the QR code.
     *
     * @param hotspot the network that this phone opened for the meeting.
     * @param addresses the addresses of this phone (IPv4) in that network, needed if it listens at `0.0.0.0`.
     * @throws OneGridException.Network with `meeting.cannot_listen` where this phone has no address in a local network.
     */
    suspend fun code(hotspot: Hotspot? = null, addresses: List<String> = emptyList()): String =
        blocking { raw.code(hotspot, addresses) }

    /** The announcement for the discovery of the host. It tells no name. */
    suspend fun service(): MeetingService = blocking { raw.service() }

    /** Stops listening. */
    override fun close() = raw.close()
}

/** The pipe of the host as the core calls it. Every throwable, `Error` included, ends the meeting. */
internal class GuardedPipe(private val host: BytePipe) : BytePipe {
    override fun read(bytesMax: UInt): ByteArray = answering { host.read(bytesMax) }

    override fun write(data: ByteArray) = answering { host.write(data) }

    override fun shut() = answering { host.shut() }

    private inline fun <T> answering(call: () -> T): T = try {
        call()
    } catch (error: PipeException) {
        throw error
    } catch (error: Throwable) {
        // Only the class passes, because a message may hold a name or an address.
        throw PipeException.Failed(error.javaClass.simpleName)
    }
}
