package org.onegrid.sample

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.onegrid.AttachmentState
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.OneGridException
import org.onegrid.ReportDraft
import org.onegrid.addAttachment
import org.onegrid.attach
import org.onegrid.attachments
import org.onegrid.attachmentsFlow
import org.onegrid.code
import org.onegrid.refusedAttachments
import org.onegrid.sample.scenario.Testbed
import org.onegrid.sendAgain
import java.io.File
import java.nio.file.Path
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Photos between phones and a real server. */
class PhotosTest {
    private lateinit var server: Testbed

    @TempDir
    private lateinit var folder: Path

    private val taken = File(root, "mobile-bindings/scenarios/photos/before.jpg").readBytes()

    @BeforeEach
    fun start() {
        server = Testbed(testbed)
    }

    @AfterEach
    fun end() = server.close()

    @Test
    fun onTheSpot_twoPhotos_areDeliveredAndShown() = runBlocking {
        opened(server, folder, "grid-worker").use { worker ->
            val record = worker.phone.report(hazard())
            val shown = mutableListOf<ByteArray?>()
            onTheSpot(worker.phone, record, taken, taken, shown::add)
            assertEquals(2, shown.size)
            assertTrue(shown.all { it != null && it.isNotEmpty() })
            val photos = worker.phone.attachments(record)
            assertTrue(photos.all { it.state == AttachmentState.DELIVERED && it.confirmed })
            assertTrue(worker.phone.refusedAttachments().isEmpty())
            val error = assertFailsWith<OneGridException.NotFound> { worker.phone.sendAgain(record, photos[0].id) }
            assertEquals("media.unknown_id", error.code)
        }
    }

    @Test
    fun attachmentsFlow_addedPhoto_isShownWithoutAsking() = runBlocking {
        opened(server, folder, "grid-worker").use { worker ->
            val record = worker.phone.report(hazard())
            val listens = CompletableDeferred<Unit>()
            val added = async(Dispatchers.Default) {
                worker.phone.attachmentsFlow(record).onEach { listens.complete(Unit) }.first { it.isNotEmpty() }
            }
            listens.await()
            val id = worker.phone.addAttachment(taken).id
            worker.phone.attach(record, id)
            assertEquals(listOf(id), withTimeout(WAIT_MS) { added.await() }.map { it.id })
        }
    }

    @Test
    fun addAttachment_beyondTheLimit_isRefusedBeforeItIsCopied() = runBlocking<Unit> {
        opened(server, folder, "grid-worker").use { worker ->
            val error = assertFailsWith<OneGridException.BadInput> {
                worker.phone.addAttachment(ByteArray(32 * 1024 * 1024 + 1))
            }
            assertEquals("media.too_large", error.code)
        }
    }

    private fun hazard() = ReportDraft("hazard", listOf(FieldInput("title", FieldValue.Text("煤气罐"))), HERE)
}
