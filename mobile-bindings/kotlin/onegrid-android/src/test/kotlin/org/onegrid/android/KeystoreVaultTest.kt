package org.onegrid.android

import android.app.Application
import android.os.UserManager
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.KeyProperties
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.onegrid.VaultException
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import java.io.File
import java.security.InvalidKeyException
import java.security.UnrecoverableKeyException
import kotlin.test.assertFailsWith

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24, 34])
class KeystoreVaultTest {
    private val application: Application = RuntimeEnvironment.getApplication()
    private val secret = ByteArray(32) { it.toByte() }

    @Before
    fun install() = SoftKeystore.install()

    private fun vault() = KeystoreVault(application)

    private fun files(): List<File> = application.noBackupFilesDir.walk().filter { it.isFile }.toList()

    @Test
    fun savedSecret_isLoadedByTheNextProcess() {
        vault().save("account.1", secret)
        vault().save("account.1", secret + 1)
        vault().save("account.2", secret)
        assertArrayEquals(secret + 1, vault().load("account.1"))
        assertArrayEquals(secret, vault().load("account.2"))
        assertNull(vault().load("account.3"))
        vault().remove("account.1")
        vault().remove("account.1")
        assertNull(vault().load("account.1"))
    }

    @Test
    fun files_lieOutsideBackupsAndHoldNoSecret() {
        vault().save("account.1", secret)
        assertEquals(2, files().size)
        for (file in files()) {
            val bytes = file.readBytes().toList()
            assertFalse(bytes.windowed(secret.size).any { it == secret.toList() })
        }
        assertTrue(application.filesDir.walk().none { it.isFile })
    }

    @Test
    fun hardwareKey_isForGcmWithoutUserAuthentication() {
        vault().save("account.1", secret)
        val spec = SoftKeystore.specs.values.single()
        assertEquals(256, spec.keySize)
        assertEquals(KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT, spec.purposes)
        assertArrayEquals(arrayOf(KeyProperties.BLOCK_MODE_GCM), spec.blockModes)
        assertFalse(spec.isUserAuthenticationRequired)
        assertTrue(spec.isRandomizedEncryptionRequired)
    }

    @Test
    fun restoredBackupWithoutTheHardwareKey_isALostKey() {
        vault().save("account.1", secret)
        SoftKeystore.keys.clear()
        assertFailsWith<VaultException.KeyGone> { vault().load("account.1") }
    }

    @Test
    fun restoredBackupBesideANewHardwareKey_isALostKey() {
        vault().save("account.1", secret)
        val old = SoftKeystore.keys.keys.single()
        val backup = files().associateWith { it.readBytes() }
        SoftKeystore.keys.clear()
        files().forEach { it.delete() }
        vault().save("account.2", secret)
        assertEquals(old, SoftKeystore.keys.keys.single())
        backup.forEach { (file, bytes) -> file.writeBytes(bytes) }
        assertFailsWith<VaultException.KeyGone> { vault().load("account.1") }
    }

    @Test
    fun invalidatedKey_isALostKey() {
        vault().save("account.1", secret)
        for (thrown in listOf(KeyPermanentlyInvalidatedException(), UnrecoverableKeyException(), InvalidKeyException())) {
            SoftKeystore.invalidated = thrown as? UnrecoverableKeyException
                ?: UnrecoverableKeyException().apply { initCause(thrown) }
            assertFailsWith<VaultException.KeyGone> { vault().load("account.1") }
        }
        SoftKeystore.invalidated = null
        assertArrayEquals(secret, vault().load("account.1"))
    }

    @Test
    fun keystoreThatFailsForAMoment_isAskedAgain() {
        vault().save("account.1", secret)
        SoftKeystore.failures = 2
        assertArrayEquals(secret, vault().load("account.1"))
    }

    @Test
    fun savingAfterALostKey_beginsAnewAndOverwritesNothing() {
        vault().save("account.1", secret)
        val kept = SoftKeystore.keys.toMap()
        SoftKeystore.keys.clear()
        val fresh = vault()
        fresh.save("account.2", secret)
        assertArrayEquals(secret, vault().load("account.2"))
        assertFailsWith<VaultException.KeyGone> { vault().load("account.1") }
        // The old key is back, and the secrets under it are still there.
        SoftKeystore.keys.putAll(kept)
        assertArrayEquals(secret, vault().load("account.1"))
        assertArrayEquals(secret, vault().load("account.2"))
    }

    @Test
    fun damagedOrExchangedFile_isALostKeyAndNoCrash() {
        vault().save("account.1", secret)
        vault().save("account.2", secret)
        val (first, second) = files().filter { it.name.startsWith("account") }.sorted()
        second.writeBytes(first.readBytes())
        assertFailsWith<VaultException.KeyGone> { vault().load("account.2") }
        first.writeBytes(first.readBytes().also { it[it.size - 1] = (it[it.size - 1] + 1).toByte() })
        assertFailsWith<VaultException.KeyGone> { vault().load("account.1") }
        first.writeBytes(ByteArray(0))
        assertFailsWith<VaultException.Failed> { vault().load("account.1") }
    }

    @Test
    fun beforeTheFirstUnlock_everythingSaysLocked() {
        vault().save("account.1", secret)
        shadowOf(application.getSystemService(UserManager::class.java)).setUserUnlocked(false)
        assertFailsWith<VaultException.Locked> { vault().load("account.1") }
        assertFailsWith<VaultException.Locked> { vault().save("account.1", secret) }
        shadowOf(application.getSystemService(UserManager::class.java)).setUserUnlocked(true)
        assertArrayEquals(secret, vault().load("account.1"))
    }

    @Test
    fun nameThatLeadsElsewhere_isRefused() {
        for (name in listOf("../key", "a/b", "", "A")) {
            assertFailsWith<VaultException.Failed> { vault().save(name, secret) }
        }
    }
}
