package org.onegrid

/** An account that was opened. */
data class Opened(
    /** The member's phone. */
    val phone: Phone,
    /** The steps that opening took; [WayBack.zh] and [WayBack.en] are for the person and often empty. */
    val wayBack: WayBack,
)

/**
 * One device: a folder and a vault, and the accounts of the members who share it. Each account has files, keys and
 * a PIN of its own.
 *
 * Every function may be called from any thread, suspends while it works on threads of its own, and fails with a
 * [OneGridException] only.
 */
class Device private constructor(private val raw: RawDevice) : AutoCloseable {
    /** Opens devices. */
    companion object {
        /**
         * Opens the folder of the app and its vault. Nothing is unlocked yet.
         *
         * @throws OneGridException.Storage or [OneGridException.Key] if the folder cannot be made or read.
         */
        suspend fun open(config: DeviceConfig, vault: KeyVault): Device =
            blocking { Device(rawOpenDevice(config, GuardedVault(vault))) }
    }

    /** The accounts of this device, to choose from. No secret is needed for it. */
    suspend fun accounts(): List<Account> = blocking { raw.accounts() }

    /**
     * Adds an account for one more member. The member enrols later.
     *
     * @param name 1 to 40 characters, to choose the account by.
     * @param pin 4 to 32 characters, or `null` for an account that anybody may open.
     * @throws OneGridException.Key with `vault.bad_name`, `vault.bad_pin`, `vault.accounts_full`, or what the
     *   vault says.
     */
    suspend fun addAccount(name: String, pin: String? = null): Account =
        blocking { raw.addAccount(name, pin) }

    /**
     * Unlocks an account and opens it. If files are damaged or lost, it recovers the work; nothing is
     * deleted, and [Opened.wayBack] reports the steps.
     *
     * @param slot [Account.slot].
     * @throws OneGridException.Key with `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait` (after five
     *   wrong PINs), `vault.locked`; `vault.key_gone` and `replica.wrong_key` lead to [startOver].
     * @throws OneGridException.Busy with `replica.in_use` while it is open already, here or in another process.
     */
    suspend fun openAccount(slot: String, pin: String? = null): Opened =
        blocking { opened(raw.openAccount(slot, pin)) }

    /**
     * Opens the only account of this device, which has no PIN, and makes it where there is none: for apps that
     * are not shared.
     *
     * @throws OneGridException as [openAccount], and `device.several_accounts`.
     */
    suspend fun openSingle(): Opened = blocking { opened(raw.openSingle()) }

    /**
     * Starts over after a lost key or a forgotten PIN: sets the account aside with its files and makes an empty
     * one of the same name, which the member enrols again. No file is deleted, and delivered work returns with
     * the first sync.
     *
     * @throws OneGridException.Busy with `replica.in_use` while the account is open.
     */
    suspend fun startOver(slot: String, pin: String? = null): Opened =
        blocking { opened(raw.startOver(slot, pin)) }

    /**
     * Gives an account another PIN, or none.
     *
     * @throws OneGridException.Key with `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait`, `vault.bad_pin`.
     */
    suspend fun changePin(slot: String, old: String?, new: String?) =
        blocking { raw.changePin(slot, old, new) }

    /**
     * Deletes an account with its keys and files, finally.
     *
     * @param discardUndelivered deletes it even if work is undelivered, or if the replica cannot be read.
     * @throws OneGridException.Denied with `phone.undelivered` while work is undelivered.
     * @throws OneGridException.Busy with `replica.in_use` while the account is open.
     */
    suspend fun wipeAccount(slot: String, pin: String? = null, discardUndelivered: Boolean = false) =
        blocking { raw.wipeAccount(slot, pin, discardUndelivered) }

    /** Releases the device. Open phones stay open. */
    override fun close() = raw.close()

    private fun opened(raw: RawOpened) = Opened(Phone(raw.phone), raw.wayBack)
}
