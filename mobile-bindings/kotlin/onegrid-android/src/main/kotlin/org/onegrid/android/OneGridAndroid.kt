package org.onegrid.android

import android.content.Context
import org.onegrid.Device
import org.onegrid.DeviceConfig
import org.onegrid.KeyVault
import java.io.File

/** Opens OneGrid with the needs of an Android app: the Keystore, and a folder outside every backup. */
object OneGridAndroid {
    /** The folder of the files, below `noBackupFilesDir`, readable by this app only. */
    fun folder(context: Context): File = File(context.noBackupFilesDir, "onegrid/device")

    /**
     * Opens the device of this app. Call it once, keep it in the `Application`, and open accounts from it.
     *
     * @param vault another vault than [KeystoreVault], if the app has one.
     * @param tlsRootsPem the authorities (PEM) that may certify the server, for a deployment with its own.
     * @throws org.onegrid.OneGridException as [Device.open].
     */
    suspend fun open(
        context: Context,
        vault: KeyVault = KeystoreVault(context),
        tlsRootsPem: ByteArray? = null,
    ): Device = Device.open(DeviceConfig(folder(context).path, tlsRootsPem), vault)
}
