package org.onegrid.sample

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.FileVault
import org.onegrid.OneGridException
import org.onegrid.Outcome
import org.onegrid.Phone
import org.onegrid.Query
import org.onegrid.ReportDraft
import org.onegrid.WayBackKind
import org.onegrid.code
import org.onegrid.outcome
import org.onegrid.sample.scenario.Testbed
import org.onegrid.sample.scenario.needed
import java.io.File
import java.nio.file.Path
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Failures around an enrolled phone: each is a typed error or a refusal, and no work is lost. */
class BadInputTest {
    private lateinit var server: Testbed

    @TempDir
    private lateinit var folder: Path

    @BeforeEach
    fun start() {
        server = Testbed(testbed)
    }

    @AfterEach
    fun end() = server.close()

    /** Syncs until both hold the same, over a line that breaks. */
    private suspend fun inStep(phone: Phone): Boolean {
        repeat(3) {
            val report = outcome { phone.syncOnce() }
            if (report is Outcome.Done && report.value.equal) return true
        }
        return false
    }

    private fun hazard(title: String) =
        ReportDraft("hazard", listOf(FieldInput("title", FieldValue.Text(title))), HERE)

    @Test
    fun secondProcess_isRefusedAndHarmsNothing() = runBlocking {
        opened(server, folder, "volunteer-1").use { volunteer ->
            val record = volunteer.phone.report(hazard("第一个进程"))
            assertEquals(listOf("replica.in_use"), child(folder, "undelivered"))
            assertEquals("第一个进程", volunteer.phone.record(record).row.title)
        }
        assertEquals(listOf("undelivered 1", "equal true", "closed"), child(folder, "undelivered", "sync"))
    }

    @Test
    fun olderCopyOfTheFiles_losesNothingAndSyncsAgain() = runBlocking {
        opened(server, folder, "volunteer-1").close()
        val copy = folder.resolve("copy").toFile()
        folder.resolve("device").toFile().copyRecursively(copy)
        fresh(folder).use { volunteer ->
            volunteer.phone.report(hazard("备份之后写的"))
            volunteer.phone.syncOnce()
        }
        folder.resolve("device").toFile().deleteRecursively()
        copy.copyRecursively(folder.resolve("device").toFile())
        fresh(folder).use { restored ->
            restored.phone.report(hazard("恢复之后写的"))
            assertTrue(restored.phone.syncOnce().equal)
            val titles = restored.phone.list().rows.map { it.title }.sorted()
            assertEquals(listOf("备份之后写的", "恢复之后写的"), titles)
        }
    }

    @Test
    fun copyOfTheFilesOnAnotherPhone_hasNoKeyAndStartsOver() = runBlocking {
        opened(server, folder, "volunteer-1").use { it.phone.report(hazard("还没有送达")) }
        val other = folder.resolve("other")
        folder.resolve("device").toFile().copyRecursively(other.resolve("device").toFile())
        val error = assertFailsWith<OneGridException.Key> { fresh(other).close() }
        assertEquals("vault.key_gone", error.code)
        val vault = FileVault(other.resolve("vault"))
        org.onegrid.Device.open(org.onegrid.DeviceConfig(other.resolve("device").toString()), vault).use { device ->
            val again = device.startOver(device.accounts().single().slot)
            again.phone.use { assertEquals(WayBackKind.STARTED_OVER, again.wayBack.kind) }
        }
        fresh(folder).use { assertEquals(1, it.phone.undelivered()) }
    }

    @Test
    fun collectorThatHangsOrFails_holdsNothingUp() = runBlocking {
        opened(server, folder, "volunteer-1").use { volunteer ->
            val phone = volunteer.phone
            val hangs = CompletableDeferred<Unit>()
            val hanging = launch(Dispatchers.Default) {
                phone.changes.collect {
                    hangs.complete(Unit)
                    awaitCancellation()
                }
            }
            hangs.await()
            val failing = async(Dispatchers.Default) { runCatching { phone.statuses.collect { error("a bug") } } }
            assertTrue(failing.await().exceptionOrNull() is IllegalStateException)

            val heard = CompletableDeferred<Unit>()
            val third = launch(Dispatchers.Default) {
                var first = true
                phone.changes.collect { if (first) first = false else heard.complete(Unit) }
            }
            withTimeout(WAIT_MS) {
                while (!heard.isCompleted) phone.report(hazard("写了又写"))
            }
            hanging.cancelAndJoin()
            third.cancelAndJoin()
        }
    }

    @Test
    fun collectorThatCallsBackIn_isServed() = runBlocking {
        opened(server, folder, "volunteer-1").use { volunteer ->
            val phone = volunteer.phone
            val counted = CompletableDeferred<Long>()
            val collector = launch(Dispatchers.Default) {
                phone.changes.collect { if (phone.count() > 0) counted.complete(phone.count()) }
            }
            phone.report(hazard("回调里再问"))
            assertEquals(1, withTimeout(WAIT_MS) { counted.await() })
            collector.cancelAndJoin()
        }
    }

    @Test
    fun enormousInput_isRefusedAndThePhoneGoesOn() = runBlocking {
        opened(server, folder, "volunteer-1").use { volunteer ->
            val phone = volunteer.phone
            val record = phone.report(hazard("正常"))
            val member = checkNotNull(phone.me().member)
            val calls: List<suspend () -> Unit> = listOf(
                { phone.comment(record, "来看看", List(1_000_000) { member }) },
                { phone.comment(record, "长".repeat(10_000_000)) },
                { phone.report(hazard("长".repeat(10_000_000))) },
                { phone.list(Query(kinds = List(1_000_000) { "hazard$it" })) },
                { phone.edit("f".repeat(10_000_000), emptyList()) },
                { phone.list(page = "x".repeat(1_000_000)) },
            )
            calls.forEachIndexed { number, call ->
                val error = assertFailsWith<OneGridException>("call $number") { call() }
                assertTrue(error is OneGridException.BadInput || error is OneGridException.Denied, "$number: $error")
            }
            assertEquals(1, phone.count())
            assertTrue(phone.syncOnce().equal)
        }
    }

    @Test
    fun cancelledSync_endsItsCoroutineAndTheNextOneWorks() = runBlocking {
        opened(server, folder, "volunteer-1").use { volunteer ->
            val phone = volunteer.phone
            phone.report(hazard("送到一半"))
            server.ask("line", "hold_after" to 0)
            val syncing = async(Dispatchers.Default) { phone.syncOnce() }
            server.ask("line_held")
            withTimeout(WAIT_MS) { syncing.cancelAndJoin() }
            assertFailsWith<CancellationException> { syncing.await() }
            server.ask("line", "up" to true)
            assertTrue(inStep(phone))
            assertEquals(0, phone.undelivered())
        }
    }

    @Test
    fun clockTenYearsOff_keepsTheWorkAndDeliversItLater() = runBlocking {
        val clock = shiftedClock()
        opened(server, folder, "volunteer-1").close()
        for (shift in listOf("$TEN_YEARS_S", "-$TEN_YEARS_S")) {
            val environment = mapOf("LD_PRELOAD" to clock.path, "ONEGRID_CLOCK_SHIFT_S" to shift)
            val lines = child(folder, "report", "sync", environment = environment)
            assertEquals("closed", lines.last(), "$shift: $lines")
            val record = lines.first()
            fresh(folder).use { volunteer ->
                assertEquals("另一个进程", volunteer.phone.record(record).row.title)
                assertTrue(volunteer.phone.syncOnce().equal)
                assertEquals(0, volunteer.phone.undelivered(), shift)
                // A wrong clock is reported, and a reviewer decides.
                assertEquals("held.clock", volunteer.phone.record(record).setAside.single().why.code, shift)
            }
            assertEquals("1", server.ask("server_view", "record" to record).needed("envelopes"), shift)
        }
    }

    /** A library that shifts the clock of the process that preloads it. */
    private fun shiftedClock(): File {
        val library = folder.resolve("clock.so").toFile()
        val source = File(root, "mobile-bindings/scenarios/clock.c")
        val compile = ProcessBuilder("cc", "-shared", "-fPIC", "-o", library.path, source.path).inheritIO().start()
        assertEquals(0, compile.waitFor())
        return library
    }

    private companion object {
        const val TEN_YEARS_S = 315_576_000L
    }
}
