package org.onegrid.android

import org.onegrid.VaultException
import java.security.Key
import javax.crypto.Cipher
import javax.crypto.spec.GCMParameterSpec

/** AES-256-GCM: version, nonce, ciphertext and tag. The name is bound to them, so files cannot change places. */
internal object Sealed {
    private const val CIPHER = "AES/GCM/NoPadding"
    private const val VERSION: Byte = 1
    private const val NONCE_BYTES = 12
    private const val TAG_BITS = 128

    fun seal(secret: ByteArray, key: Key, name: String): ByteArray {
        val cipher = Cipher.getInstance(CIPHER)
        // The Keystore draws the nonce itself and refuses one from outside.
        cipher.init(Cipher.ENCRYPT_MODE, key)
        cipher.updateAAD(name.toByteArray())
        val sealed = cipher.doFinal(secret)
        check(cipher.iv.size == NONCE_BYTES) { "the nonce has ${cipher.iv.size} bytes" }
        return byteArrayOf(VERSION) + cipher.iv + sealed
    }

    fun open(sealed: ByteArray, key: Key, name: String): ByteArray {
        if (sealed.size < 1 + NONCE_BYTES || sealed[0] != VERSION) throw VaultException.Failed("unknown format")
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, sealed, 1, NONCE_BYTES))
        cipher.updateAAD(name.toByteArray())
        return cipher.doFinal(sealed, 1 + NONCE_BYTES, sealed.size - 1 - NONCE_BYTES)
    }
}
