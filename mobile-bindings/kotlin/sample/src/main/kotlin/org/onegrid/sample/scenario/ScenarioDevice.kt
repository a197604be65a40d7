package org.onegrid.sample.scenario

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.jsonPrimitive
import org.onegrid.Device
import org.onegrid.DeviceConfig
import org.onegrid.KeyVault
import org.onegrid.Opened
import java.io.File
import java.util.concurrent.ConcurrentHashMap

/** The result of a verb of a device. */
internal sealed interface DeviceAnswer {
    data class Opened(val opened: org.onegrid.Opened) : DeviceAnswer

    data class Value(val value: JsonElement) : DeviceAnswer
}

/** A vault in memory that can lose its secrets. */
internal class ForgetfulVault : KeyVault {
    private val secrets = ConcurrentHashMap<String, ByteArray>()

    override fun load(name: String): ByteArray? = secrets[name]

    override fun save(name: String, secret: ByteArray) {
        secrets[name] = secret
    }

    override fun remove(name: String) {
        secrets.remove(name)
    }

    fun forget() = secrets.clear()
}

/** A device of a scenario: an empty folder and an empty vault. */
internal class ScenarioDevice private constructor(
    private val folder: File,
    private val vault: ForgetfulVault,
    private val device: Device,
) : AutoCloseable {
    suspend fun call(verb: String, with: JsonObject): DeviceAnswer = when (verb) {
        "open" -> DeviceAnswer.Opened(device.openSingle())
        "open_account" -> DeviceAnswer.Opened(device.openAccount(with.needed("slot"), with.text("pin")))
        "start_over" -> DeviceAnswer.Opened(device.startOver(with.needed("slot"), with.text("pin")))
        else -> DeviceAnswer.Value(value(verb, with))
    }

    private suspend fun value(verb: String, with: JsonObject): JsonElement = when (verb) {
        "accounts" -> json(
            device.accounts().map { mapOf("slot" to it.slot, "name" to it.name, "has_pin" to it.hasPin) },
        )
        "add_account" -> json(device.addAccount(with.needed("name"), with.text("pin")).slot)
        "change_pin" -> {
            device.changePin(with.needed("slot"), with.text("old"), with.text("new"))
            NOTHING
        }
        "wipe_account" -> {
            val discard = with["discard_undelivered"]?.jsonPrimitive?.boolean ?: false
            device.wipeAccount(with.needed("slot"), with.text("pin"), discard)
            NOTHING
        }
        "lose_key" -> {
            vault.forget()
            NOTHING
        }
        "folder" -> json(folder.path)
        else -> throw ScenarioFailure("no verb of devices is called $verb")
    }

    override fun close() = device.close()

    companion object {
        val VERBS = setOf(
            "open", "open_account", "start_over", "accounts", "add_account", "change_pin", "wipe_account", "lose_key",
            "folder",
        )

        suspend fun make(folder: File): ScenarioDevice {
            check(folder.mkdirs()) { "$folder can not be made" }
            val vault = ForgetfulVault()
            return ScenarioDevice(folder, vault, Device.open(DeviceConfig(folder.path), vault))
        }
    }
}
