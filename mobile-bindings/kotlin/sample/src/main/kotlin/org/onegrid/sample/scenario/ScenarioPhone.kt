package org.onegrid.sample.scenario

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonPrimitive
import org.onegrid.FormPage
import org.onegrid.MeetingListener
import org.onegrid.MeetingReport
import org.onegrid.OneGridException
import org.onegrid.Outcome
import org.onegrid.Phone
import org.onegrid.SyncReport
import org.onegrid.code
import org.onegrid.outcome
import org.onegrid.syncFiles

/** A phone of a scenario: its verbs, and the events of its listeners. */
internal class ScenarioPhone(val phone: Phone, private val scope: CoroutineScope) {
    private var syncing: Deferred<Outcome<SyncReport>>? = null
    private var listener: MeetingListener? = null
    private var accepting: Deferred<Outcome<MeetingReport>>? = null
    private val heardRecords = MutableStateFlow<Set<String>>(emptySet())
    private val heardStates = MutableStateFlow<Set<String>>(emptySet())

    suspend fun call(verb: String, with: JsonObject): JsonElement = when (verb) {
        "enrol" -> shown(phone.enrol(with.needed("invitation"), with.text("server"), "场景 / scenario"))
        "me" -> shown(phone.me())
        "act_as" -> actAs(with.text("role"))
        "locate" -> shown(phone.locate(position(with.getValue("position"))))
        "report" -> json(phone.report(draft(with)))
        "edit" -> json(phone.edit(with.needed("record"), changes(with)))
        "comment" -> {
            val (mentions, attachments) = texts(with["mentions"]) to texts(with["attachments"])
            json(phone.comment(with.needed("record"), with.needed("text"), mentions, attachments))
        }
        "opened" -> json(phone.opened(with.needed("record")))
        "moves" -> shown(phone.moves(with.needed("record")))
        "act" -> json(act(with))
        "settle" -> json(phone.settle(with.needed("record"), with.needed("field"), value(with.getValue("value"))))
        "undo_settle" -> json(phone.undoSettle(with.needed("record"), with.needed("envelope")))
        "record" -> record(with.needed("record"))
        "timeline" -> json(timeline(with.needed("record")))
        "list" -> json(titles(with))
        "count" -> json(phone.count(query(with)))
        "search" -> json(phone.search(with.needed("text")).rows.map { it.title })
        "tally" -> shown(phone.tally())
        "notices" -> json(phone.notices().map { it.code })
        "notifications" -> json(phone.notifications().map { it.code })
        "unit" -> json(phone.units(with.needed("name")).units.single().id)
        "person" -> json(phone.people(with.needed("name")).people.single().member)
        "undelivered" -> json(phone.undelivered())
        "status" -> shown(phone.status())
        else -> formCall(verb, with) ?: walkCall(phone, verb, with) ?: attachmentCall(phone, verb, with)
            ?: syncCall(verb, with)
    }

    /** The verbs of checklists; `null` for another verb. */
    private suspend fun formCall(verb: String, with: JsonObject): JsonElement? = when (verb) {
        "templates" -> json(phone.templates().map { shown(it) })
        "template_items" ->
            json(phone.templateItems(with.needed("template"), with.number("version")?.toUInt()).map { it.id })
        "plan_form" -> shown(phone.planForm(formDraft(with)))
        "form" -> shown(phone.form(with.needed("record")))
        "answer" -> json(phone.answer(with.needed("record"), answers(with)))
        "add_row" -> json(phone.addRow(with.needed("record"), with.needed("repeat_id")))
        "remove_row" ->
            json(phone.removeRow(with.needed("record"), with.needed("repeat_id"), with.needed("row")))
        "write_note" -> json(phone.writeNote(with.needed("record"), with.needed("text"), texts(with["named"])))
        "report_finding" -> json(phone.reportFinding(with.needed("record"), finding(with)))
        "linked" -> json(phone.linked(with.needed("record")).map { shown(it) })
        "due_forms" -> forms { page -> phone.dueForms(dueQuery(with), page, PAGE_ROWS) }
        "planned_forms" -> forms { page ->
            phone.plannedForms(fromMs(with), untilMs(with), with.text("member"), page, PAGE_ROWS)
        }
        "forms_about" -> forms { page -> phone.formsAbout(with.needed("record"), page, PAGE_ROWS) }
        "form_counts" -> json(phone.formCounts(fromMs(with), untilMs(with)).map { shown(it) })
        else -> null
    }

    private suspend fun forms(read: suspend (String?) -> FormPage): JsonElement {
        val rows = mutableListOf<JsonElement>()
        var page: String? = null
        do {
            val found = read(page)
            found.rows.mapTo(rows) { shown(it) }
            page = found.next
        } while (page != null)
        return json(rows)
    }

    private suspend fun syncCall(verb: String, with: JsonObject): JsonElement = when (verb) {
        "plan" -> shown(phone.plan())
        "sync" -> shown(phone.syncOnce())
        "sync_files" -> shown(phone.syncFiles())
        "sync_until_equal" -> shown(syncUntilEqual(with.getValue("tries").jsonPrimitive.int))
        "start_sync" -> nothing { syncing = scope.async { outcome { phone.syncOnce() } } }
        "join_sync" -> joinSync()
        "listen" -> {
            val listening = phone.listenForMeeting("127.0.0.1")
            listener = listening
            json(listening.code())
        }
        "start_accept" -> nothing {
            val listening = listener ?: throw ScenarioFailure("no phone listens")
            accepting = scope.async { outcome { phone.acceptMeeting(listening) } }
        }
        "join_accept" -> joinAccept()
        "meet" -> shown(phone.meet(with.needed("code")))
        "parcel_counts" -> shown(phone.parcelCounts())
        "meeting_request" -> json(phone.meetingRequest())
        "meeting_request_file" -> json(hex(phone.meetingRequestFile()))
        "make_bundle" -> {
            val request = with.text("code")?.encodeToByteArray() ?: bytes(with.needed("file"))
            shown(phone.makeBundle(request))
        }
        "import_bundle" -> shown(phone.importBundle(bytes(with.needed("file"))))
        "cancel" -> nothing { phone.cancel() }
        "suspend" -> nothing { phone.suspend() }
        "resume" -> nothing { phone.resume() }
        "shut" -> nothing { phone.close() }
        "live_start" -> nothing { phone.liveStart() }
        "live_stop" -> nothing { phone.liveStop() }
        "watch" -> nothing { watch() }
        "wait_change" -> nothing {
            val record = with.needed("record")
            wait(heardRecords, "a change of $record") { record in it || ALL in it }
        }
        "wait_state" -> nothing {
            val state = with.needed("state")
            wait(heardStates, "the state $state") { state in it }
        }
        else -> throw ScenarioFailure("no verb of phones is called $verb")
    }

    private inline fun nothing(act: () -> Unit): JsonElement {
        act()
        return NOTHING
    }

    private suspend fun actAs(role: String?): JsonElement {
        val id = role?.let { code -> phone.me().roles.first { it.role.code == code }.id }
        phone.actAs(id)
        return NOTHING
    }

    /** Made as an app makes it: the assignment is the one that the move is offered for. */
    private suspend fun act(with: JsonObject): String {
        val record = with.needed("record")
        val movement = with.needed("movement")
        val options = phone.moves(record).filter { it.movement.code == movement }
        val offered = options.firstOrNull { it.allowed } ?: options.firstOrNull()
        val assignment = with.text("assignment") ?: offered?.assignment
        return phone.act(record, moveInput(with, movement, assignment))
    }

    private suspend fun record(id: String): JsonElement = when (val found = outcome { phone.record(id) }) {
        is Outcome.Done -> shown(found.value)
        is Outcome.Failed ->
            if (found.error.code == "replica.no_record") json(mapOf("known" to false)) else throw found.error
    }

    private suspend fun timeline(record: String): List<String> {
        val moves = mutableListOf<String>()
        var page: String? = null
        do {
            val found = phone.timeline(record, page, PAGE_ROWS)
            found.items.mapNotNullTo(moves) { it.movement }
            page = found.next
        } while (page != null)
        return moves
    }

    private suspend fun titles(with: JsonObject): List<String> {
        val titles = mutableListOf<String>()
        phone.listAll(query(with), PAGE_ROWS).collect { titles += it.title }
        return titles
    }

    private suspend fun syncUntilEqual(tries: Int): SyncReport {
        repeat(tries) {
            try {
                val report = phone.syncOnce()
                if (report.equal) return report
            } catch (_: OneGridException.Network) {
                // The line broke; the exchanged data are kept.
            }
        }
        throw ScenarioFailure("not equal after $tries syncs")
    }

    private suspend fun joinSync(): JsonElement {
        val running = syncing ?: throw ScenarioFailure("no sync was started")
        syncing = null
        return when (val ended = running.await()) {
            is Outcome.Done -> shown(ended.value)
            is Outcome.Failed -> throw ended.error
        }
    }

    private suspend fun joinAccept(): JsonElement {
        val running = accepting ?: throw ScenarioFailure("no phone accepts")
        accepting = null
        return when (val ended = running.await()) {
            is Outcome.Done -> shown(ended.value)
            is Outcome.Failed -> throw ended.error
        }
    }

    private suspend fun watch() {
        val listens = CompletableDeferred<Unit>()
        scope.launch {
            // The first value says that the flow listens.
            phone.changes.collect { changes ->
                if (listens.complete(Unit)) return@collect
                heardRecords.update { it + changes.records + if (changes.all) setOf(ALL) else emptySet() }
            }
        }
        scope.launch { phone.statuses.collect { status -> heardStates.update { it + status.state.name.lowercase() } } }
        listens.await()
    }

    private suspend fun <T> wait(heard: MutableStateFlow<T>, what: String, enough: (T) -> Boolean) {
        withTimeoutOrNull(WAIT_MS) { heard.first(enough) } ?: throw ScenarioFailure("nothing was heard of $what")
    }

    private companion object {
        const val PAGE_ROWS = 5
        const val WAIT_MS = 120_000L
        const val ALL = "*"
    }
}
