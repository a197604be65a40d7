package org.onegrid

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Path
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class ListeningTest {
    @TempDir
    private lateinit var temp: Path

    private fun changes(vararg records: String, all: Boolean = false) =
        RecordChanges(records.toList(), all, directory = false, notices = false)

    @Test
    fun mergedChanges_nameEachRecordOnce() {
        assertEquals(changes("a", "b", "c"), merged(changes("a", "b"), changes("b", "c")))
        assertTrue(merged(changes("a"), changes(all = true)).all)
    }

    @Test
    fun moreChangesThanAreNamed_sayAll() {
        val many = changes(*Array(1_000) { "$it" })
        assertEquals(false, merged(many, changes("7")).all)
        val more = merged(many, changes("new"))
        assertEquals(1_000 to true, more.records.size to more.all)
    }

    @Test
    fun flows_beginAtOnceAndCompleteWhenThePhoneCloses() = runBlocking {
        Device.open(DeviceConfig("$temp"), MemoryVault()).use { device ->
            val phone = device.openSingle().phone
            assertTrue(phone.changes.first().all)
            assertEquals(SyncState.IDLE, phone.statuses.first().state)
            val listens = CompletableDeferred<Unit>()
            val heard = launch(Dispatchers.Default) {
                phone.changes.collect { listens.complete(Unit) }
            }
            listens.await()
            phone.close()
            withTimeout(WAIT_MS) { heard.join() }
            assertFailsWith<OneGridException.Busy> { phone.changes.toList() }
        }
        Unit
    }

    @Test
    fun collectorThatFails_endsItsOwnFlowOnly() = runBlocking {
        Device.open(DeviceConfig("$temp"), MemoryVault()).use { device ->
            device.openSingle().phone.use { phone ->
                assertFailsWith<CancellationException> { phone.changes.collect { throw CancellationException("enough") } }
                assertFailsWith<IllegalStateException> { phone.statuses.collect { error("a bug of the app") } }
                assertTrue(phone.changes.first().all)
            }
        }
    }

    private companion object {
        /** Longer than any step takes on a busy machine; only a test that fails waits for it. */
        const val WAIT_MS = 120_000L
    }
}
