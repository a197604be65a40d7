package org.onegrid.sample

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.ReportDraft
import org.onegrid.sample.scenario.Testbed
import java.nio.file.Path
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Two phones without a network. */
class MeetingsTest {
    private lateinit var server: Testbed

    @TempDir
    private lateinit var folder: Path

    @BeforeEach
    fun start() {
        server = Testbed(testbed)
    }

    @AfterEach
    fun end() = server.close()

    @Test
    fun meeting_byACode_bringsTheReport() = runBlocking {
        pair { worker, room ->
            val record = worker.phone.report(hazard())
            val (code, told) = CompletableDeferred<String>() to mutableListOf<String>()
            val accepted = async(Dispatchers.Default) { showCode(worker.phone, "127.0.0.1", code::complete) }
            val scanned = withTimeout(WAIT_MS) { scanCode(room.phone, code.await(), {}, told::add) }
            assertEquals(1u to 0u, accepted.await().let { it.given to it.taken })
            assertEquals(1u, scanned.taken)
            assertEquals("交出 0 条，收到 1 条", told.single())
            assertTrue(room.phone.record(record).row.provisional)
        }
    }

    @Test
    fun meeting_byAFile_bringsTheReport() = runBlocking {
        pair { worker, room ->
            val record = worker.phone.report(hazard())
            val (request, file) = CompletableDeferred<String>() to CompletableDeferred<ByteArray>()
            val asked = async(Dispatchers.Default) { askForFile(room.phone, request::complete, file::await) }
            answerRequest(worker.phone, withTimeout(WAIT_MS) { request.await() }, file::complete)
            assertEquals(1u, asked.await().taken)
            assertTrue(room.phone.record(record).row.provisional)
        }
    }

    /** The phones of a grid worker and of the command room, without a network from now on. */
    private suspend fun pair(meet: suspend (OpenedDevice, OpenedDevice) -> Unit) {
        opened(server, folder.resolve("worker"), "grid-worker").use { worker ->
            opened(server, folder.resolve("room"), "dispatcher").use { room ->
                server.ask("line", "up" to false)
                meet(worker, room)
            }
        }
    }

    private fun hazard() = ReportDraft("hazard", listOf(FieldInput("title", FieldValue.Text("煤气罐"))), HERE)
}
