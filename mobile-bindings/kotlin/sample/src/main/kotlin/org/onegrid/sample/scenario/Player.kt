package org.onegrid.sample.scenario

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.onegrid.OneGridException
import org.onegrid.Phone
import org.onegrid.code
import java.io.File
import java.nio.file.Files

/** A step with another result than the scenario says. */
class ScenarioFailure(message: String, cause: Throwable? = null) : Exception(message, cause)

/**
 * Plays a scenario of `mobile-bindings/scenarios` against a testbed of its own.
 *
 * @param say gets the sentences of the scenario.
 * @param adapt replaces each phone that opens, for tests of the player.
 */
class Player(
    private val testbed: File,
    private val say: (String) -> Unit = {},
    private val adapt: (Phone) -> Phone = { it },
) {
    /**
     * Plays [file].
     *
     * @throws ScenarioFailure at the first step with another result than the scenario says.
     */
    suspend fun play(file: File) {
        val scenario = Json.parseToJsonElement(file.readText()).jsonObject
        say(scenario.needed("about"))
        val folder = Files.createTempDirectory("onegrid-scenario").toFile()
        try {
            Testbed(testbed).use { testbed -> Run(testbed, folder, say, adapt).use { it.play(scenario) } }
        } finally {
            folder.deleteRecursively()
        }
    }
}

private class Run(
    private val testbed: Testbed,
    private val folder: File,
    private val say: (String) -> Unit,
    private val adapt: (Phone) -> Phone,
) : AutoCloseable {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val devices = mutableMapOf<String, ScenarioDevice>()
    private val phones = mutableMapOf<String, ScenarioPhone>()
    private val saved = mutableMapOf<String, JsonElement>()

    suspend fun play(scenario: JsonObject) {
        scenario["devices"]?.jsonArray?.forEach { unpack(it.jsonPrimitive.content) }
        scenario["phones"]?.jsonArray?.forEach { given(it.jsonObject) }
        scenario.getValue("steps").jsonArray.forEachIndexed { number, step ->
            try {
                take(step.jsonObject)
            } catch (failure: ScenarioFailure) {
                throw ScenarioFailure("step ${number + 1}: ${failure.message}\n  $step", failure.cause)
            } catch (error: NoSuchElementException) {
                throw ScenarioFailure("step ${number + 1}: nothing was found\n  $step", error)
            } catch (error: IllegalArgumentException) {
                throw ScenarioFailure("step ${number + 1}: more than one was found\n  $step", error)
            }
        }
    }

    private suspend fun unpack(name: String) {
        devices[name] = ScenarioDevice.make(File(folder, name))
    }

    private suspend fun given(phone: JsonObject) {
        val name = phone.needed("name")
        unpack(name)
        val invitation = testbed.ask("invite", "who" to phone.needed("who"))
        call(name, "open", JsonObject(emptyMap()), name)
        call(name, "enrol", JsonObject(mapOf("invitation" to invitation.getValue("qr"))), null)
        call(name, "sync", JsonObject(emptyMap()), null)
    }

    private suspend fun take(step: JsonObject) {
        step.text("say")?.let { return say("  $it") }
        step.text("testbed")?.let { command -> return expect(step) { testbed.ask(command, with(step)) } }
        val verb = step.needed("do")
        for (name in names(step.getValue("as"))) {
            expect(step) { call(name, verb, with(step), step.text("save_phone")) }
        }
    }

    private fun names(value: JsonElement): List<String> =
        if (value is JsonArray) value.map { it.jsonPrimitive.content } else listOf(value.jsonPrimitive.content)

    private fun with(step: JsonObject) =
        resolved(step["with"] ?: JsonObject(emptyMap()), saved).jsonObject

    private suspend fun expect(step: JsonObject, act: suspend () -> JsonElement) {
        val codes = step["error"]?.let(::names)
        val found = try {
            act()
        } catch (error: OneGridException) {
            if (codes != null && error.code in codes) return
            throw ScenarioFailure("refused with ${error.code}", error)
        } catch (error: TestbedRefusal) {
            if (codes != null && error.code in codes) return
            throw ScenarioFailure("refused with ${error.code}", error)
        }
        if (codes != null) throw ScenarioFailure("not refused, but gave $found")
        step["is"]?.let { wanted ->
            if (!matches(resolved(wanted, saved), found)) throw ScenarioFailure("gave $found")
        }
        step.text("save")?.let { saved[it] = found }
    }

    private suspend fun call(name: String, verb: String, with: JsonObject, savePhone: String?): JsonElement {
        val device = devices[name]
        if (device == null || verb !in ScenarioDevice.VERBS) {
            val phone = phones[name] ?: throw ScenarioFailure("no phone is called $name")
            return phone.call(verb, with)
        }
        val answer = device.call(verb, with)
        if (answer is DeviceAnswer.Opened) {
            val phoneName = savePhone ?: name
            phones[phoneName] = ScenarioPhone(adapt(answer.opened.phone), scope)
            return json(answer.opened.wayBack.kind)
        }
        return (answer as DeviceAnswer.Value).value
    }

    override fun close() {
        scope.cancel()
        phones.values.forEach { it.phone.close() }
        devices.values.forEach { it.close() }
    }
}

internal val NOTHING: JsonElement = JsonNull

internal fun word(text: String?): JsonElement = text?.let(::JsonPrimitive) ?: JsonNull
