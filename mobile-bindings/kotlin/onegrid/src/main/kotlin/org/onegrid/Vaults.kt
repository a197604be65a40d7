package org.onegrid

/**
 * The host's vault as the core calls it. Every throwable, `Error` included, becomes a [VaultException]. The
 * generated code alone would let an `Error` (such as `NotImplementedError`) through to the native side as success.
 */
internal class GuardedVault(private val host: KeyVault) : KeyVault {
    override fun load(name: String): ByteArray? = answering { host.load(name) }

    override fun save(name: String, secret: ByteArray) = answering { host.save(name, secret) }

    override fun remove(name: String) = answering { host.remove(name) }
}

/** Whether this thread runs a call of the host's vault. */
private val inVault = ThreadLocal<Boolean>()

/**
 * The core waits for the vault, so a vault that waits for the core would wait forever. The core refuses such calls on
 * the vault's thread. Here they would run on another thread, so they are refused before they reach it.
 */
internal fun refuseInVault() {
    if (inVault.get() == true) throw failure(CALLED_BACK_IN, null, OneGridException::Busy)
}

private inline fun <T> answering(call: () -> T): T {
    inVault.set(true)
    try {
        return call()
    } catch (error: VaultException) {
        throw error
    } catch (error: Throwable) {
        // Only the class passes, because a message may hold a secret.
        throw VaultException.Failed(error.javaClass.simpleName)
    } finally {
        inVault.remove()
    }
}
