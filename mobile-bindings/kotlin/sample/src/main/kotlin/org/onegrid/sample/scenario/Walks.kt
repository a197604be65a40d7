package org.onegrid.sample.scenario

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.onegrid.Phone
import org.onegrid.SectionCheckpoint
import org.onegrid.SectionTarget
import org.onegrid.WalkCoverage
import org.onegrid.WalkDetail
import org.onegrid.WalkSection
import org.onegrid.Walker
import org.onegrid.WayPoint
import org.onegrid.addTrack
import org.onegrid.coverage
import org.onegrid.joinByCode
import org.onegrid.joinCode
import org.onegrid.leaveWalk
import org.onegrid.scanCheckpoint
import org.onegrid.walk

/** The verbs of walks; `null` for another verb. */
internal suspend fun walkCall(phone: Phone, verb: String, with: JsonObject): JsonElement? = when (verb) {
    "join_code" -> json(phone.joinCode(with.needed("record"), (with.number("minutes") ?: 10).toUByte()))
    "join_by_code" -> json(phone.joinByCode(with.needed("code")))
    "add_track" -> {
        val added = phone.addTrack(with.needed("record"), points(with))
        json(mapOf("left_out" to added.leftOut))
    }
    "scan_checkpoint" -> {
        val position = with.given("position")?.let(::position)
        val scanned = phone.scanCheckpoint(with.needed("record"), with.needed("code"), position)
        json(mapOf("section" to scanned.section, "number" to scanned.number.toInt()))
    }
    "leave_walk" -> json(phone.leaveWalk(with.needed("record")))
    "walk" -> shown(phone.walk(with.needed("record"), with.given("section")?.let { section(it.jsonObject) }))
    "coverage" -> {
        val section = section(with.getValue("section").jsonObject)
        shown(phone.coverage(section, texts(with["records"]), with.needed("day")))
    }
    else -> null
}

private fun points(with: JsonObject): List<WayPoint> {
    val nowMs = System.currentTimeMillis()
    return with.getValue("points").jsonArray.map { point ->
        val fields = point.jsonObject
        val agoS = fields.number("ago_s") ?: throw ScenarioFailure("a point needs ago_s")
        WayPoint(nowMs - 1_000 * agoS, position(fields), fields.flag("after_gap") ?: false)
    }
}

private fun section(fields: JsonObject) = WalkSection(
    id = fields.needed("id"),
    line = fields["line"]?.jsonArray.orEmpty().map(::position),
    checkpoints = fields["checkpoints"]?.jsonArray.orEmpty().map { one ->
        val checkpoint = one.jsonObject
        SectionCheckpoint(
            number = small(checkpoint, "number"),
            position = position(checkpoint.getValue("position")),
            name = checkpoint.needed("name"),
        )
    },
    targets = fields["targets"]?.jsonArray.orEmpty().map { one ->
        val target = one.jsonObject
        SectionTarget(
            fromMinute = small(target, "from_minute"),
            toMinute = small(target, "to_minute"),
            wanted = small(target, "wanted"),
            perHour = target.flag("per_hour") ?: false,
        )
    },
)

private fun small(fields: JsonObject, name: String): UShort =
    fields.number(name)?.toUShort() ?: throw ScenarioFailure("$name is missing")

private fun shown(walk: WalkDetail) = json(
    mapOf(
        "section" to walk.section,
        "ended" to (walk.endedMs != null),
        "abandoned" to walk.abandoned,
        "walkers" to walk.walkers.map { shown(it) },
    ),
)

private fun shown(walker: Walker) = mapOf(
    "own" to walker.own,
    "lead" to walker.isLead,
    "refused" to walker.refused?.code,
    "points" to walker.points,
    "outside" to walker.outside,
    "way" to walker.way.size,
    "left" to (walker.leftMs != null),
    "withheld" to walker.withheld,
    "scans" to walker.scans.map { mapOf("checkpoint" to it.checkpoint?.toInt(), "refused" to it.refused?.code) },
)

private fun shown(found: WalkCoverage) = json(
    mapOf(
        "passes" to found.passes.size,
        "records" to found.passes.flatMap { it.records },
        "shortfalls" to found.shortfalls.map { it.wanted.toInt() - it.found.toInt() },
    ),
)
