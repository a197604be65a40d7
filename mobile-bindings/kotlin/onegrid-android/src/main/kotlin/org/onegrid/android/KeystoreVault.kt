package org.onegrid.android

import android.content.Context
import android.os.UserManager
import android.security.keystore.KeyProperties
import org.onegrid.KeyVault
import org.onegrid.VaultException
import java.io.File
import java.io.IOException
import java.security.GeneralSecurityException
import java.security.SecureRandom
import javax.crypto.AEADBadTagException
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec

/**
 * The [KeyVault] of an Android app. A key that never leaves the phone's secure hardware (Android Keystore) wraps a
 * random key, and that one encrypts the secrets, each in a file below `noBackupFilesDir`. No fingerprint or PIN of
 * the phone is asked for, because sync works in the background.
 *
 * If the hardware key is gone for good (a restored backup or a cloned phone brought the files without it, or the
 * system invalidated it), [load] throws [VaultException.KeyGone]. OneGrid then offers to start over, and [save]
 * begins with new keys beside the old ones. No key and no file is ever overwritten or deleted for that, so a
 * temporary lock costs nothing. Before the first unlock after a restart of the phone, [load] throws
 * [VaultException.Locked], and the same call works later.
 *
 * @param context any context of the app.
 * @param name names the hardware keys and the folder; an app needs another one only if it has several vaults.
 */
class KeystoreVault(context: Context, private val name: String = "onegrid") : KeyVault {
    private val context: Context = context.applicationContext ?: context
    private val random = SecureRandom()

    /** The random keys that were unwrapped so far, by number. */
    private val unwrapped = mutableMapOf<Int, SecretKey>()

    private val folder: File
        get() = File(context.noBackupFilesDir, "onegrid/vault-$name")

    /**
     * The secret under [name], or `null`.
     *
     * @throws VaultException as the class says.
     */
    @Synchronized
    override fun load(name: String): ByteArray? = answering {
        DurableFile(file(name)).read()?.let { file ->
            val number = file.firstOrNull() ?: throw VaultException.Failed("empty file")
            Sealed.open(file.copyOfRange(1, file.size), key(number.toInt()), name)
        }
    }

    /**
     * Stores [secret] under [name], durably and as a whole.
     *
     * @throws VaultException.Locked before the first unlock; [VaultException.Failed] where the Keystore or the
     *   storage fails.
     */
    @Synchronized
    override fun save(name: String, secret: ByteArray) = answering {
        val file = DurableFile(file(name))
        val newest = newest()
        val (number, key) = try {
            newest?.let { it to key(it) }
        } catch (_: VaultException.KeyGone) {
            null
        } ?: newKey((newest ?: 0) + 1)
        file.write(byteArrayOf(number.toByte()) + Sealed.seal(secret, key, name))
    }

    /**
     * Removes the secret under [name], if there is one.
     *
     * @throws VaultException.Failed if the file cannot be removed.
     */
    @Synchronized
    override fun remove(name: String) = answering { DurableFile(file(name)).remove() }

    private fun file(name: String): File {
        if (!NAME.matches(name)) throw VaultException.Failed("bad name")
        return File(folder, "$name.sealed")
    }

    private fun key(number: Int): SecretKey = unwrapped.getOrPut(number) {
        val wrapped = wrapped(number).read() ?: throw VaultException.KeyGone()
        val bytes = HardwareKey(alias(number)).unwrap(wrapped, alias(number))
        SecretKeySpec(bytes, KeyProperties.KEY_ALGORITHM_AES)
    }

    private fun newKey(number: Int): Pair<Int, SecretKey> {
        if (number > KEYS_MAX) throw VaultException.Failed("too many keys")
        val bytes = ByteArray(KEY_BYTES).also(random::nextBytes)
        wrapped(number).write(HardwareKey(alias(number)).wrap(bytes, alias(number)))
        val key = SecretKeySpec(bytes, KeyProperties.KEY_ALGORITHM_AES)
        unwrapped[number] = key
        return number to key
    }

    private fun newest(): Int? = folder.list().orEmpty()
        .mapNotNull { WRAPPED.matchEntire(it)?.groupValues?.get(1)?.toInt() }
        .maxOrNull()

    private fun wrapped(number: Int) = DurableFile(File(folder, "key-$number.wrapped"))

    private fun alias(number: Int) = "$name.$number"

    private fun expectUnlocked() {
        val users = context.getSystemService(UserManager::class.java)
        if (users != null && !users.isUserUnlocked) throw VaultException.Locked()
    }

    private inline fun <T> answering(act: () -> T): T = try {
        expectUnlocked()
        act()
    } catch (error: VaultException) {
        throw error
    } catch (_: AEADBadTagException) {
        // The file is damaged, or of another random key, so no later try can read it.
        throw VaultException.KeyGone()
    } catch (error: GeneralSecurityException) {
        throw VaultException.Failed(error.javaClass.simpleName)
    } catch (error: IOException) {
        throw VaultException.Failed(error.javaClass.simpleName)
    }

    private companion object {
        const val KEY_BYTES = 32
        const val KEYS_MAX = 100
        val NAME = Regex("[a-z0-9._-]{1,64}")
        val WRAPPED = Regex("key-(\\d{1,3})\\.wrapped")
    }
}
