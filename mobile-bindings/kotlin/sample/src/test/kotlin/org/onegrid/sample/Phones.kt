package org.onegrid.sample

import org.onegrid.Datum
import org.onegrid.Device
import org.onegrid.DeviceConfig
import org.onegrid.FileVault
import org.onegrid.GeoPosition
import org.onegrid.KeyVault
import org.onegrid.Phone
import org.onegrid.sample.scenario.Testbed
import org.onegrid.sample.scenario.needed
import java.nio.file.Path

/** A device with the phone that was opened on it. */
internal class OpenedDevice(val device: Device, val phone: Phone) : AutoCloseable {
    override fun close() {
        phone.close()
        device.close()
    }
}

/** A place in the village of the testbed's people. */
internal val HERE = GeoPosition(lat = 30.31215, lon = 120.11878, datum = Datum.WGS84, accuracyM = 8u)

/** Longer than any step takes on a busy machine; only a test that fails waits for it. */
internal const val WAIT_MS = 120_000L

/** An empty phone. */
internal suspend fun fresh(
    folder: Path,
    vault: KeyVault = FileVault(folder.resolve("vault")),
): OpenedDevice {
    val device = Device.open(DeviceConfig(folder.resolve("device").toString()), vault)
    return OpenedDevice(device, device.openSingle().phone)
}

/** A phone of a person of the testbed, enrolled and in step. */
internal suspend fun opened(
    server: Testbed,
    folder: Path,
    who: String,
    vault: KeyVault = FileVault(folder.resolve("vault")),
): OpenedDevice {
    val opened = fresh(folder, vault)
    opened.phone.enrol(server.ask("invite", "who" to who).needed("qr"), deviceName = who)
    opened.phone.syncOnce()
    return opened
}
