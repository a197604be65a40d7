package org.onegrid.sample.scenario

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.longOrNull

/** Whether [found] matches [wanted] of a scenario; the rules are in `mobile-bindings/scenarios/README.md`. */
internal fun matches(wanted: JsonElement, found: JsonElement): Boolean = when (wanted) {
    is JsonObject -> when (wanted.keys.singleOrNull()) {
        "at_least" -> atLeast(wanted.getValue("at_least"), found)
        "contains" -> contains(wanted.getValue("contains"), found)
        else -> found is JsonObject && wanted.all { (name, part) -> matches(part, found[name] ?: JsonNull) }
    }
    is JsonArray -> found is JsonArray && found.size == wanted.size &&
        wanted.zip(found).all { (one, other) -> matches(one, other) }
    is JsonPrimitive -> wanted == found
}

private fun atLeast(wanted: JsonElement, found: JsonElement): Boolean {
    val least = (wanted as? JsonPrimitive)?.longOrNull ?: return false
    val number = (found as? JsonPrimitive)?.longOrNull ?: return false
    return number >= least
}

private fun contains(wanted: JsonElement, found: JsonElement): Boolean = when (found) {
    is JsonArray -> found.any { matches(wanted, it) }
    is JsonPrimitive -> found.isString && wanted is JsonPrimitive && wanted.content in found.content
    else -> false
}

/** Replaces references by the saved values. */
internal fun resolved(value: JsonElement, saved: Map<String, JsonElement>): JsonElement = when (value) {
    is JsonObject -> JsonObject(value.mapValues { (_, part) -> resolved(part, saved) })
    is JsonArray -> JsonArray(value.map { resolved(it, saved) })
    is JsonPrimitive ->
        if (value.isString && value.content.startsWith("$")) referred(value.content.drop(1), saved) else value
}

private fun referred(path: String, saved: Map<String, JsonElement>): JsonElement {
    val parts = path.split('.')
    var value = saved[parts.first()] ?: error("nothing is saved as ${parts.first()}")
    for (part in parts.drop(1)) {
        value = when (value) {
            is JsonObject -> value[part] ?: JsonNull
            is JsonArray -> value[part.toInt()]
            else -> error("$path leads nowhere")
        }
    }
    return value
}
