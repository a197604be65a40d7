package org.onegrid.android

import android.security.keystore.KeyGenParameterSpec
import java.io.InputStream
import java.io.OutputStream
import java.security.Key
import java.security.KeyStoreSpi
import java.security.Provider
import java.security.SecureRandom
import java.security.Security
import java.security.UnrecoverableKeyException
import java.security.cert.Certificate
import java.security.spec.AlgorithmParameterSpec
import java.util.Collections
import java.util.Date
import java.util.Enumeration
import javax.crypto.KeyGeneratorSpi
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec

/**
 * A double of the Android Keystore, which Robolectric does not have: real AES keys under aliases, in memory, with
 * the failures of the real one. It makes the checks of the real one.
 */
internal object SoftKeystore {
    val keys: MutableMap<String, SecretKey> = Collections.synchronizedMap(mutableMapOf())
    val specs: MutableMap<String, KeyGenParameterSpec> = Collections.synchronizedMap(mutableMapOf())

    /** The number of next questions that fail, as a service of the system fails for a moment. */
    var failures = 0

    /** Thrown by every question for a key, as for a key that was invalidated. */
    var invalidated: Exception? = null

    fun install() {
        keys.clear()
        specs.clear()
        failures = 0
        invalidated = null
        Security.removeProvider(NAME)
        Security.addProvider(SoftProvider())
    }

    fun asked() {
        if (failures > 0) {
            failures -= 1
            throw UnrecoverableKeyException("the service is away")
        }
        invalidated?.let { throw it }
    }

    const val NAME = "AndroidKeyStore"
}

private class SoftProvider : Provider(SoftKeystore.NAME, "1", "keys of tests") {
    init {
        put("KeyStore.AndroidKeyStore", SoftKeyStoreSpi::class.java.name)
        put("KeyGenerator.AES", SoftKeyGeneratorSpi::class.java.name)
    }
}

class SoftKeyGeneratorSpi : KeyGeneratorSpi() {
    private var spec: KeyGenParameterSpec? = null

    override fun engineInit(random: SecureRandom?) = error("a spec is needed")

    override fun engineInit(keysize: Int, random: SecureRandom?) = error("a spec is needed")

    override fun engineInit(params: AlgorithmParameterSpec?, random: SecureRandom?) {
        spec = params as KeyGenParameterSpec
    }

    override fun engineGenerateKey(): SecretKey {
        val spec = checkNotNull(spec)
        val key = SecretKeySpec(ByteArray(spec.keySize / Byte.SIZE_BITS).also(SecureRandom()::nextBytes), "AES")
        SoftKeystore.keys[spec.keystoreAlias] = key
        SoftKeystore.specs[spec.keystoreAlias] = spec
        return key
    }
}

class SoftKeyStoreSpi : KeyStoreSpi() {
    override fun engineGetKey(alias: String, password: CharArray?): Key? {
        SoftKeystore.asked()
        return SoftKeystore.keys[alias]
    }

    override fun engineLoad(stream: InputStream?, password: CharArray?) = Unit

    override fun engineDeleteEntry(alias: String) {
        SoftKeystore.keys.remove(alias)
    }

    override fun engineAliases(): Enumeration<String> = Collections.enumeration(SoftKeystore.keys.keys)

    override fun engineContainsAlias(alias: String): Boolean = alias in SoftKeystore.keys

    override fun engineSize(): Int = SoftKeystore.keys.size

    override fun engineIsKeyEntry(alias: String): Boolean = alias in SoftKeystore.keys

    override fun engineIsCertificateEntry(alias: String): Boolean = false

    override fun engineGetCertificateChain(alias: String): Array<Certificate>? = null

    override fun engineGetCertificate(alias: String): Certificate? = null

    override fun engineGetCreationDate(alias: String): Date? = null

    override fun engineSetKeyEntry(alias: String, key: Key, password: CharArray?, chain: Array<Certificate>?) = error("no")

    override fun engineSetKeyEntry(alias: String, key: ByteArray?, chain: Array<Certificate>?) = error("no")

    override fun engineSetCertificateEntry(alias: String, certificate: Certificate?) = error("no")

    override fun engineGetCertificateAlias(certificate: Certificate?): String? = null

    override fun engineStore(stream: OutputStream?, password: CharArray?) = error("no")
}
