package org.onegrid.android

import android.os.Build
import android.security.KeyStoreException
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.security.keystore.UserNotAuthenticatedException
import org.onegrid.VaultException
import java.security.GeneralSecurityException
import java.security.Key
import java.security.KeyStore
import java.security.ProviderException
import javax.crypto.KeyGenerator

/** A key of the Android Keystore: it wraps a random key and never leaves the hardware. */
internal class HardwareKey(private val alias: String) {
    /** Wraps [secret], and makes the hardware key if there is none. */
    fun wrap(secret: ByteArray, name: String): ByteArray =
        trying { Sealed.seal(secret, existing() ?: made(), name) }

    /**
     * Unwraps the result of [wrap].
     *
     * @throws VaultException.KeyGone if the hardware key is missing, is another one, or was invalidated.
     */
    fun unwrap(wrapped: ByteArray, name: String): ByteArray =
        trying { Sealed.open(wrapped, existing() ?: throw VaultException.KeyGone(), name) }

    private fun existing(): Key? = KeyStore.getInstance(PROVIDER).apply { load(null) }.getKey(alias, null)

    private fun made(): Key {
        val generator = KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER)
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        generator.init(
            KeyGenParameterSpec.Builder(alias, purposes)
                .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
                .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
                .setKeySize(KEY_BITS)
                .setUserAuthenticationRequired(false)
                .build(),
        )
        return generator.generateKey()
    }

    /**
     * The Keystore is a service of the system that now and then fails for a moment, and says so with the same
     * exceptions as for a key that is gone. So the question is repeated before the key counts as gone.
     */
    private fun <T> trying(act: () -> T): T {
        repeat(ATTEMPTS - 1) {
            try {
                return act()
            } catch (error: VaultException) {
                throw error
            } catch (_: GeneralSecurityException) {
                Thread.sleep(PAUSE_MS)
            } catch (_: ProviderException) {
                Thread.sleep(PAUSE_MS)
            }
        }
        try {
            return act()
        } catch (_: UserNotAuthenticatedException) {
            throw VaultException.Locked()
        } catch (error: GeneralSecurityException) {
            if (isTransient(error)) throw VaultException.Failed(error.javaClass.simpleName)
            throw VaultException.KeyGone()
        } catch (error: ProviderException) {
            throw VaultException.Failed(error.javaClass.simpleName)
        }
    }

    private fun isTransient(error: Throwable): Boolean {
        val fault = generateSequence(error) { it.cause }.filterIsInstance<java.security.KeyStoreException>().any()
        if (fault) return true
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) return false
        return generateSequence(error) { it.cause }.any { it is KeyStoreException && it.isTransientFailure }
    }

    private companion object {
        const val PROVIDER = "AndroidKeyStore"
        const val KEY_BITS = 256
        const val ATTEMPTS = 3
        const val PAUSE_MS = 50L
    }
}
