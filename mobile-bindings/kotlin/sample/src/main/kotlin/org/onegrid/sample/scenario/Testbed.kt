package org.onegrid.sample.scenario

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File
import java.util.concurrent.TimeUnit

/** A command that the testbed refused. */
class TestbedRefusal(val code: String, text: String) : Exception("$code: $text")

/**
 * A real server that is commanded by lines of JSON (`mobile-bindings/scenarios/README.md`). It ends with [close], or
 * with this process.
 */
class Testbed(program: File, vararg arguments: String) : AutoCloseable {
    private val process = ProcessBuilder(program.path, *arguments)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start()
    private val requests = process.outputStream.bufferedWriter()
    private val answers = process.inputStream.bufferedReader()

    /** Sends a command and gives its answer. */
    @Synchronized
    fun ask(command: String, with: JsonObject = JsonObject(emptyMap())): JsonObject {
        val request = buildJsonObject {
            put("do", JsonPrimitive(command))
            put("with", with)
        }
        requests.write("$request\n")
        requests.flush()
        val line = checkNotNull(answers.readLine()) { "the testbed has ended" }
        val answer = Json.parseToJsonElement(line).jsonObject
        answer["error"]?.jsonObject?.let { error ->
            throw TestbedRefusal(error.text("code").orEmpty(), error.text("text").orEmpty())
        }
        return answer.getValue("ok").jsonObject
    }

    /** Sends a command with arguments. */
    fun ask(command: String, vararg with: Pair<String, Any?>): JsonObject =
        ask(command, JsonObject(with.associate { (name, value) -> name to json(value) }))

    override fun close() {
        requests.close()
        if (!process.waitFor(SHUTDOWN_S, TimeUnit.SECONDS)) process.destroyForcibly()
    }

    private companion object {
        const val SHUTDOWN_S = 120L
    }
}

/** The text under [name], or `null`. */
fun JsonObject.text(name: String): String? = (get(name) as? JsonPrimitive)?.takeIf { it.isString }?.content

/** The text under [name], which has to be there. */
fun JsonObject.needed(name: String): String = getValue(name).jsonPrimitive.content

/** A value of Kotlin as JSON: texts, numbers, flags, lists, maps, `null`. */
fun json(value: Any?): JsonElement = when (value) {
    null -> kotlinx.serialization.json.JsonNull
    is JsonElement -> value
    is String -> JsonPrimitive(value)
    is Boolean -> JsonPrimitive(value)
    is UInt -> JsonPrimitive(value.toLong())
    is ULong -> JsonPrimitive(value.toLong())
    is Number -> JsonPrimitive(value)
    is Enum<*> -> JsonPrimitive(value.name.lowercase())
    is Iterable<*> -> kotlinx.serialization.json.JsonArray(value.map(::json))
    is Map<*, *> -> JsonObject(value.entries.associate { (name, part) -> name.toString() to json(part) })
    else -> error("no JSON for ${value.javaClass.simpleName}")
}
