package org.onegrid

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Path
import java.util.concurrent.CountDownLatch
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertTrue

/** Failures between a host and its device: keys, PINs, vaults, texts. */
class DeviceTest {
    @TempDir
    private lateinit var temp: Path

    private suspend fun device(vault: KeyVault) = Device.open(DeviceConfig("$temp"), vault)

    @Test
    fun openSingle_twice_findsTheSameAccount() = runBlocking {
        val vault = MemoryVault()
        device(vault).use { device ->
            device.openSingle().use { assertEquals(WayBackKind.CREATED, it.wayBack.kind) }
            device.openSingle().use { assertEquals(WayBackKind.OPENED, it.wayBack.kind) }
            assertEquals(1, device.accounts().size)
        }
    }

    @Test
    fun wrongKey_isATypedErrorAndTheRightOneOpensAgain() = runBlocking {
        val vault = MemoryVault()
        device(vault).use { it.openSingle().close() }
        val right = HashMap(vault.secrets)
        vault.secrets.replaceAll { _, secret -> secret.map { (it + 1).toByte() }.toByteArray() }
        device(vault).use { device -> assertFailsWith<OneGridException.Key> { device.openSingle() } }
        vault.secrets.putAll(right)
        device(vault).use { device ->
            device.openSingle().use { assertEquals(WayBackKind.OPENED, it.wayBack.kind) }
        }
    }

    @Test
    fun lostKey_leadsToStartOverWhichDeletesNothing() = runBlocking {
        val vault = MemoryVault()
        device(vault).use { device ->
            device.openSingle().close()
            val slot = device.accounts().single().slot
            vault.secrets.clear()
            val error = assertFailsWith<OneGridException.Key> { device.openSingle() }
            assertEquals("vault.key_gone", error.code)
            val files = temp.toFile().walk().count { it.isFile }
            device.startOver(slot).use { assertEquals(WayBackKind.STARTED_OVER, it.wayBack.kind) }
            assertTrue(temp.toFile().walk().count { it.isFile } > files, "the old files are still there")
        }
    }

    @Test
    fun vaultThatSaysKeyGoneOrLocked_isReportedAsThat() = runBlocking {
        val vault = object : MemoryVault() {
            var answer: VaultException? = null

            override fun load(name: String): ByteArray? {
                answer?.let { throw it }
                return super.load(name)
            }
        }
        device(vault).use { device ->
            device.openSingle().close()
            vault.answer = VaultException.KeyGone()
            assertEquals("vault.key_gone", assertFailsWith<OneGridException.Key> { device.openSingle() }.code)
            vault.answer = VaultException.Locked()
            assertEquals("vault.locked", assertFailsWith<OneGridException.Key> { device.openSingle() }.code)
            vault.answer = null
            device.openSingle().close()
        }
    }

    @Test
    fun vaultThatThrowsAnything_failsOneCallOnly() = runBlocking {
        val vault = object : MemoryVault() {
            var thrown: Throwable? = null

            override fun load(name: String): ByteArray? {
                thrown?.let { throw it }
                return super.load(name)
            }
        }
        device(vault).use { device ->
            device.openSingle().close()
            for (thrown in listOf(IllegalStateException("a bug"), NotImplementedError(), StackOverflowError())) {
                vault.thrown = thrown
                assertEquals("vault.failed", assertFailsWith<OneGridException.Key> { device.openSingle() }.code)
            }
            vault.thrown = null
            device.openSingle().close()
        }
    }

    @Test
    fun vaultThatHangs_failsOneCallAndTheNextOneWorks() = runBlocking {
        val release = CountDownLatch(1)
        val vault = object : MemoryVault() {
            var hangs = false

            override fun load(name: String): ByteArray? {
                if (hangs) release.await()
                return super.load(name)
            }
        }
        device(vault).use { device ->
            device.openSingle().close()
            vault.hangs = true
            assertEquals("vault.failed", assertFailsWith<OneGridException.Key> { device.openSingle() }.code)
            vault.hangs = false
            device.openSingle().close()
        }
        release.countDown()
    }

    @Test
    fun vaultThatCallsBackIn_isRefusedAtOnce() = runBlocking {
        val refusals = mutableListOf<OneGridException>()
        var opened: Device? = null
        val vault = object : MemoryVault() {
            override fun load(name: String): ByteArray? {
                opened?.let { device ->
                    outcomeOf { runBlocking { device.accounts() } }?.let(refusals::add)
                }
                return super.load(name)
            }
        }
        device(vault).use { device ->
            device.openSingle().close()
            opened = device
            device.openSingle().close()
        }
        assertTrue(refusals.isNotEmpty())
        assertTrue(refusals.all { it.code == "phone.called_back_in" && it is OneGridException.Busy })
    }

    private fun outcomeOf(call: () -> Unit): OneGridException? = when (val ended = outcome(call)) {
        is Outcome.Done -> null
        is Outcome.Failed -> ended.error
    }

    @Test
    fun accountsOfOneDevice_openWithTheirOwnPinOnly() = runBlocking {
        device(MemoryVault()).use { device ->
            val first = device.addAccount("甲", "246813")
            val second = device.addAccount("乙", "975310")
            assertEquals(listOf(true, true), device.accounts().map { it.hasPin })
            assertEquals("vault.pin_needed", failed { device.openAccount(first.slot) })
            assertEquals("vault.wrong_pin", failed { device.openAccount(first.slot, "975310") })
            device.openAccount(first.slot, "246813").use { one ->
                assertEquals("replica.in_use", failed { device.openAccount(first.slot, "246813") })
                device.openAccount(second.slot, "975310").use { other ->
                    assertFalse(one.phone.me().device == other.phone.me().device)
                }
            }
            device.changePin(first.slot, "246813", null)
            device.openAccount(first.slot).close()
            device.wipeAccount(first.slot)
            assertEquals(listOf("乙"), device.accounts().map { it.name })
        }
    }

    @Test
    fun loneSurrogate_isRefusedBeforeAnythingIsStored() = runBlocking {
        device(MemoryVault()).use { device ->
            val error = assertFailsWith<OneGridException.BadInput> { device.addAccount("甲\uD83D") }
            assertEquals("text.bad_character", error.code)
            assertTrue(error.zh.isNotBlank() && error.en.isNotBlank())
            assertEquals(emptyList(), device.accounts())
            device.openSingle().use { opened ->
                assertEquals("text.bad_character", failed { opened.phone.search("\uDE00") })
                val fields = listOf(FieldInput("title", FieldValue.Text("\uD83D")))
                assertEquals("text.bad_character", failed { opened.phone.report(ReportDraft("hazard", fields)) })
            }
        }
    }

    @Test
    fun closedPhone_refusesCallsAndClosesTwice() = runBlocking {
        device(MemoryVault()).use { device ->
            val phone = device.openSingle().phone
            phone.close()
            phone.close()
            assertEquals("phone.shut", failed { phone.me() })
            assertEquals("phone.shut", failed { phone.suspend() })
        }
    }

    @Test
    fun textThatIsNoInvitation_isToldAtOnce() = runBlocking {
        for (text in listOf("", "https://example.org/", "ABCD", "WIFI:S:cafe;;", "1".repeat(100_000))) {
            val error = assertFailsWith<OneGridException.BadInput> { OneGrid.checkInvitation(text) }
            assertTrue(error.code.startsWith("invitation."), error.code)
        }
        device(MemoryVault()).use { device ->
            device.openSingle().use { opened ->
                assertIs<OneGridException.BadInput>(
                    assertFailsWith<OneGridException> { opened.phone.enrol("WIFI:S:cafe;;", deviceName = "x") },
                )
                assertFalse(opened.phone.me().enrolled)
            }
        }
    }

    private suspend fun failed(call: suspend () -> Unit): String =
        assertFailsWith<OneGridException> { call() }.code

    private inline fun Opened.use(block: (Opened) -> Unit) = phone.use { block(this) }

    private fun Opened.close() = phone.close()
}
