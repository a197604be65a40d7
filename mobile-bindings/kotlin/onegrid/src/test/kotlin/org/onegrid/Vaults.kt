package org.onegrid

import java.util.concurrent.ConcurrentHashMap

/** A vault in memory with calls that a test can replace. */
open class MemoryVault : KeyVault {
    val secrets = ConcurrentHashMap<String, ByteArray>()

    override fun load(name: String): ByteArray? = secrets[name]

    override fun save(name: String, secret: ByteArray) {
        secrets[name] = secret
    }

    override fun remove(name: String) {
        secrets.remove(name)
    }
}
