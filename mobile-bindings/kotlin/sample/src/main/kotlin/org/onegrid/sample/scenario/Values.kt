package org.onegrid.sample.scenario

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import kotlinx.serialization.json.longOrNull
import org.onegrid.AnswerChange
import org.onegrid.AssignedTo
import org.onegrid.BundleFile
import org.onegrid.Datum
import org.onegrid.DueQuery
import org.onegrid.FieldChange
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.FindingDraft
import org.onegrid.FormCounts
import org.onegrid.FormDetail
import org.onegrid.FormDraft
import org.onegrid.FormItem
import org.onegrid.FormRow
import org.onegrid.FormTemplate
import org.onegrid.GeoPosition
import org.onegrid.Language
import org.onegrid.LinkedRecord
import org.onegrid.Located
import org.onegrid.Me
import org.onegrid.MeetingReport
import org.onegrid.MoveInput
import org.onegrid.MoveOption
import org.onegrid.Near
import org.onegrid.Order
import org.onegrid.ParcelCounts
import org.onegrid.PlannedForm
import org.onegrid.Query
import org.onegrid.RecordDetail
import org.onegrid.ReportDraft
import org.onegrid.SyncPlan
import org.onegrid.SyncReport
import org.onegrid.SyncStatus
import org.onegrid.Tally

// Converts the values of scenarios into SDK values.

internal fun position(value: JsonElement): GeoPosition {
    val fields = value.jsonObject
    return GeoPosition(
        lat = fields.getValue("lat").jsonPrimitive.double,
        lon = fields.getValue("lon").jsonPrimitive.double,
        datum = Datum.WGS84,
        accuracyM = fields.number("accuracy_m")?.toUInt(),
    )
}

internal fun value(value: JsonElement): FieldValue {
    if (value is JsonObject) return FieldValue.Position(position(value))
    val plain = value.jsonPrimitive
    return when {
        plain.isString -> FieldValue.Text(plain.content)
        plain.booleanOrNull != null -> FieldValue.Flag(plain.booleanOrNull == true)
        else -> FieldValue.Number(plain.long)
    }
}

internal fun draft(with: JsonObject) = ReportDraft(
    kind = with.needed("kind"),
    fields = with["fields"]?.jsonObject.orEmpty().map { (field, given) -> FieldInput(field, value(given)) },
    position = with.given("position")?.let(::position),
    area = with.text("area"),
    restricted = with.flag("restricted") ?: false,
    team = with.text("team"),
    named = texts(with["named"]),
    linked = with.text("linked"),
    attachments = texts(with["attachments"]),
)

internal fun changes(with: JsonObject): List<FieldChange> =
    with.getValue("fields").jsonObject.map { (field, given) ->
        FieldChange(field, if (given is JsonNull) null else value(given))
    }

internal fun moveInput(with: JsonObject, movement: String, assignment: String?) = MoveInput(
    movement = movement,
    assignment = assignment,
    text = with.text("text"),
    toUnit = with.text("to_unit"),
    toMember = with.text("to_member"),
    toArea = with.text("to_area"),
    part = with.text("part"),
    acceptByMs = with.number("accept_by_ms"),
    arriveByMs = with.number("arrive_by_ms"),
    resolveByMs = with.number("resolve_by_ms"),
    into = with.text("into"),
    request = with.text("request"),
    satisfied = with.flag("satisfied"),
    untilMs = with.number("until_ms"),
    category = with.text("category"),
    severity = with.number("severity")?.toUByte(),
    grid = with.text("grid"),
    attachments = texts(with["attachments"]),
    mentions = texts(with["mentions"]),
    before = texts(with["before"]),
    after = texts(with["after"]),
    behalfReason = with.text("behalf_reason"),
    reason = with.text("reason"),
)

internal fun query(with: JsonObject) = Query(
    kinds = texts(with["kinds"]),
    stages = texts(with["stages"]),
    open = with.flag("open"),
    category = with.text("category"),
    area = with.text("area"),
    mine = with.flag("mine") ?: false,
    assigned = with.text("assigned")?.let { AssignedTo.valueOf(it.uppercase()) },
    undelivered = with.flag("undelivered") ?: false,
    inConflict = with.flag("in_conflict") ?: false,
    dueBeforeMs = with.number("due_before_ms"),
    overdue = with.flag("overdue") ?: false,
    near = near(with),
    order = with.text("order")?.let { Order.valueOf(it.uppercase()) },
)

internal fun formDraft(with: JsonObject) = FormDraft(
    kind = with.needed("kind"),
    template = with.needed("template"),
    subject = with.text("subject"),
    title = with.text("title"),
    address = with.text("address"),
    position = with.given("position")?.let(::position),
    area = with.text("area"),
    plannedMs = with.number("planned_ms"),
    companions = texts(with["companions"]),
    companionNames = with.text("companion_names"),
    restricted = with.flag("restricted") ?: false,
    team = with.text("team"),
    linked = with.text("linked"),
    note = with.text("note"),
)

internal fun answers(with: JsonObject): List<AnswerChange> =
    with.getValue("answers").jsonObject.map { (question, given) ->
        AnswerChange(question, with.text("row"), if (given is JsonNull) null else value(given))
    }

internal fun finding(with: JsonObject) = FindingDraft(
    kind = with.needed("kind"),
    question = with.text("question"),
    row = with.text("row"),
    fields = with["fields"]?.jsonObject.orEmpty().map { (field, given) -> FieldInput(field, value(given)) },
    restricted = with.flag("restricted") ?: false,
    team = with.text("team"),
    language = Language.ZH,
)

internal fun dueQuery(with: JsonObject) = DueQuery(
    beforeMs = with.number("before_ms"),
    overdue = with.flag("overdue") ?: false,
    near = near(with),
    inMyAreas = with.flag("in_my_areas") ?: false,
    area = with.text("area"),
    template = with.text("template"),
)

internal fun fromMs(with: JsonObject): Long = with.number("from_ms") ?: Long.MIN_VALUE

internal fun untilMs(with: JsonObject): Long = with.number("until_ms") ?: Long.MAX_VALUE

private fun near(with: JsonObject): Near? = with.given("near")?.jsonObject?.let { near ->
    Near(position(near.getValue("position")), near.getValue("radius_m").jsonPrimitive.int.toUInt())
}

internal fun texts(value: JsonElement?): List<String> =
    (value as? JsonArray)?.map { it.jsonPrimitive.content }.orEmpty()

internal fun JsonObject.given(name: String): JsonElement? = get(name).takeIf { it !is JsonNull }

internal fun JsonObject.number(name: String): Long? = (get(name) as? JsonPrimitive)?.longOrNull

internal fun JsonObject.flag(name: String): Boolean? = (get(name) as? JsonPrimitive)?.booleanOrNull

// Converts SDK values into the values of scenarios, for comparison.

internal fun shown(me: Me) = json(
    mapOf(
        "enrolled" to me.enrolled,
        "member" to me.member,
        "device" to me.device,
        "name" to me.zh,
        "roles" to me.roles.map { it.role.code },
        "server" to me.server,
    ),
)

internal fun shown(located: Located) = json(
    mapOf(
        "grid" to located.grid?.zh,
        "candidates" to located.candidates.size,
        "needs_confirmation" to located.needsConfirmation,
    ),
)

/** Code of a move → whether one of its options is allowed, or the first reason why not. */
internal fun shown(moves: List<MoveOption>) = json(
    moves.groupBy { it.movement.code }.mapValues { (_, options) ->
        if (options.any { it.allowed }) true else options.first().why?.code
    },
)

internal fun shown(tally: Tally) = json(
    mapOf(
        "recorded" to tally.recorded,
        "counted" to tally.counted,
        "waiting" to tally.waiting,
        "held" to tally.held,
    ),
)

internal fun shown(report: SyncReport) = json(
    mapOf(
        "equal" to report.equal,
        "more" to report.more,
        "pushed" to report.pushed,
        "pulled" to report.pulled,
        "round_trips" to report.roundTrips,
        "closed" to report.closed?.code,
    ),
)

internal fun shown(plan: SyncPlan) = json(
    mapOf(
        "records" to plan.records.count,
        "open" to plan.open.count,
        "bytes" to plan.records.bytes,
        "open_bytes" to plan.open.bytes,
        "has_minutes" to (plan.records.minutes != null),
        "changes" to plan.changes,
        "uploads" to plan.uploads,
        "photos" to plan.photos.count,
        "photo_bytes" to plan.photos.bytes,
        "photos_wanted" to plan.photosWanted.count,
        "photos_to_send" to plan.photosToSend.count,
        "at_least" to plan.atLeast,
    ),
)

internal fun shown(report: MeetingReport) = json(
    mapOf(
        "member" to report.member,
        "given" to report.given,
        "taken" to report.taken,
        "parcel_given" to report.parcelGiven,
        "parcel_taken" to report.parcelTaken,
    ),
)

internal fun shown(parcels: ParcelCounts) = json(
    mapOf(
        "carried" to parcels.carried,
        "waits" to (parcels.oldestMs != null),
        "taken" to parcels.taken,
        "refused" to parcels.refused,
        "dropped" to parcels.dropped,
    ),
)

internal fun shown(bundle: BundleFile) = json(
    mapOf(
        "file" to hex(bundle.file),
        "member" to bundle.member,
        "given" to bundle.given,
        "more" to bundle.more,
    ),
)

/** The digits of a file. */
internal fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }

/** A file from its digits. */
internal fun bytes(hex: String): ByteArray = hex.chunked(2).map { it.toInt(16).toByte() }.toByteArray()

internal fun shown(status: SyncStatus) = json(
    mapOf(
        "state" to status.state,
        "reason" to status.reason?.code,
        "pending" to status.pending,
        "files_left" to status.filesLeft,
        "bytes_left" to status.bytesLeft,
    ),
)

internal fun shown(record: RecordDetail): JsonElement {
    val row = record.row
    val description = record.fields.firstOrNull { it.field == "description" }?.value as? FieldValue.Text
    return json(
        mapOf(
            "known" to true,
            "kind" to row.kind.code,
            "stage" to row.stage.code,
            "category" to row.category?.code,
            "severity" to row.severity?.code,
            "open" to row.open,
            "title" to row.title,
            "address" to row.address,
            "mine" to row.mine,
            "undelivered" to row.undelivered,
            "provisional" to row.provisional,
            "conflicts" to row.conflicts,
            "needs_review" to row.needsReview,
            "overdue" to row.overdue,
            "receipt" to row.receipt,
            "description" to description?.text,
            "reporter" to record.reporter?.member,
            "assignments" to record.assignments.map { it.state.code },
            "cards" to record.conflicts.map { it.field ?: "moves" },
            "card_words" to record.conflicts.map { it.zh },
            "card_people" to record.conflicts.filter { it.field == null }.sumOf { it.people.size },
            "comments" to record.comments.map { it.text },
            "comment_files" to record.comments.flatMap { it.attachments },
            "set_aside" to record.setAside.map { it.why.code },
            "merged_into" to record.mergedInto,
            "linked" to record.linked,
            "supervised" to record.supervised,
            "suspended" to record.suspended,
        ),
    )
}

internal fun shown(template: FormTemplate) = json(
    mapOf(
        "id" to template.id,
        "version" to template.version,
        "newer_version" to template.newerVersion,
        "title" to template.zh,
        "usable" to template.usable,
        "restricted_place" to template.restrictedPlace,
    ),
)

internal fun shown(planned: PlannedForm) = json(
    mapOf("form" to planned.form, "subject" to planned.subject, "note" to planned.note),
)

internal fun shown(form: FormDetail): JsonElement {
    val rows = form.items.mapNotNull { it.row }.distinct()
    fun key(item: FormItem): String = item.row?.let { "${item.item.id}/${rows.indexOf(it) + 1}" } ?: item.item.id
    return json(
        mapOf(
            "template" to form.template,
            "version" to form.version,
            "read_only" to form.readOnly?.code,
            "shown" to form.items.filter { it.relevant }.map(::key),
            "answers" to form.items.filter { it.answer != null }.associate { key(it) to it.zhAnswer },
            "problems" to form.items.filter { it.problem != null }.associate { key(it) to it.problem?.code },
            "stored" to form.stored.map { it.key },
            "answered" to form.answered,
            "required" to form.required,
            "complete" to form.complete,
            "standing" to form.standing,
            "next_due" to (form.nextDueMs != null),
            "subject" to form.subject?.title,
            "linked" to form.linked.map { shown(it) },
        ),
    )
}

internal fun shown(linked: LinkedRecord) = json(
    mapOf(
        "link" to linked.link,
        "direction" to linked.direction,
        "record" to linked.row.id,
        "kind" to linked.row.kind.code,
        "stage" to linked.row.stage.code,
    ),
)

internal fun shown(row: FormRow) = json(
    mapOf(
        "record" to row.row.id,
        "title" to row.title,
        "version" to row.version,
        "standing" to row.standing,
        "complete" to row.complete,
        "due" to (row.dueMs != null),
        "distance_m" to row.distanceM,
    ),
)

internal fun shown(counts: FormCounts) = json(
    mapOf(
        "name" to counts.zh,
        "planned" to counts.planned,
        "begun" to counts.begun,
        "done" to counts.done,
        "in_vain" to counts.inVain,
        "called_off" to counts.calledOff,
    ),
)
