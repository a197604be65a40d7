package org.onegrid.sample

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.collectLatest
import kotlinx.coroutines.launch
import org.onegrid.AnswerChange
import org.onegrid.Datum
import org.onegrid.Device
import org.onegrid.DeviceConfig
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.FileVault
import org.onegrid.FindingDraft
import org.onegrid.FormDraft
import org.onegrid.GeoPosition
import org.onegrid.Language
import org.onegrid.MoveInput
import org.onegrid.OneGridException
import org.onegrid.Outcome
import org.onegrid.Phone
import org.onegrid.Query
import org.onegrid.RecordRow
import org.onegrid.ReportDraft
import org.onegrid.code
import org.onegrid.outcome
import org.onegrid.zh
import java.nio.file.Path

// The README takes its code from this file: a test compares the two. So it compiles, and `QuickStartTest` runs it.

/** From an empty folder to a report that other phones see. Gives the record. */
suspend fun quickStart(folder: Path, invitation: String): String {
    // README: quick start
    val vault = FileVault(folder.resolve("vault"))
    val device = Device.open(DeviceConfig(folder.resolve("device").toString()), vault)
    val phone = device.openSingle().phone
    if (!phone.me().enrolled) {
        phone.enrol(invitation, deviceName = "Pixel 6")
        phone.syncOnce()
    }

    val hazard = ReportDraft(
        kind = "hazard",
        fields = listOf(
            FieldInput("title", FieldValue.Text("楼道堆物，堵了消防通道")),
            FieldInput("category", FieldValue.Text("building")),
        ),
        position = GeoPosition(lat = 30.31215, lon = 120.11878, datum = Datum.WGS84, accuracyM = 8u),
    )
    val record = phone.report(hazard)
    // Without a network the report is kept, and goes with the next sync.
    outcome { phone.syncOnce() }
    phone.close()
    // README end
    device.close()
    return record
}

/** Shows the open records and follows their changes, until the scope ends. */
fun follow(phone: Phone, scope: CoroutineScope, show: (List<RecordRow>) -> Unit, line: (String) -> Unit) {
    // README: follow
    scope.launch { phone.liveStart() } // live sync, while the app is in front
    scope.launch {
        phone.changes.collectLatest { show(phone.list(Query(open = true)).rows) }
    }
    scope.launch {
        phone.statuses.collect { status -> line(status.reason?.zh ?: "未送达 ${status.pending}") }
    }
    // README end
}

/** Resolves a case if this member may, and says why not otherwise. */
suspend fun resolve(phone: Phone, record: String, tell: (String) -> Unit) {
    // README: moves
    val options = phone.moves(record).filter { it.movement.code == "resolve" }
    val resolve = options.firstOrNull { it.allowed } ?: options.first()
    if (resolve.allowed) {
        phone.act(record, MoveInput(movement = "resolve", assignment = resolve.assignment, text = "三个气瓶已收回。"))
    } else {
        tell(resolve.why?.zh.orEmpty())
    }
    // README end
}

/** Makes one visit, and reports what was found. Gives the visit and the hazard. */
suspend fun visit(phone: Phone, place: GeoPosition, tell: (String) -> Unit): Pair<String, String> {
    // README: visit
    val shed = "竹竿巷3幢车棚"
    val draft = FormDraft(kind = "visit", template = "ebike_charging", title = shed, position = place)
    val visit = phone.planForm(draft).form
    phone.act(visit, MoveInput(movement = "start"))

    // The answer “shed” opens the questions about sheds. More bikes charge than there are: a
    // problem at the question.
    phone.answer(
        visit,
        listOf(
            AnswerChange("place_kind", value = FieldValue.Text("shed")),
            AnswerChange("bikes", value = FieldValue.Number(12)),
            AnswerChange("charging", value = FieldValue.Number(20)),
        ),
    )
    for (item in phone.form(visit).items.filter { it.relevant }) {
        tell("${item.item.zh} ${item.zhAnswer} ${item.problem?.zh.orEmpty()}")
    }
    // The visit cannot end before each problem is solved.
    val ended = outcome { phone.act(visit, MoveInput(movement = "finish")) }
    if (ended is Outcome.Failed) tell(ended.error.zh)

    phone.answer(
        visit,
        listOf(
            AnswerChange("charging", value = FieldValue.Number(8)),
            AnswerChange("away", value = FieldValue.Flag(true)),
            AnswerChange("power_off", value = FieldValue.Flag(false)),
            AnswerChange("spray", value = FieldValue.Flag(true)),
        ),
    )
    // Title, address and position of the hazard come from the visit.
    val finding = FindingDraft(kind = "hazard", question = "power_off", language = Language.ZH)
    val hazard = phone.reportFinding(visit, finding)
    phone.act(visit, MoveInput(movement = "finish"))
    phone.form(visit).linked.forEach { tell("${it.row.title} · ${it.row.stage.zh}") }
    // README end
    return visit to hazard
}

/** Branches on the kind of an error, and shows its sentence. */
suspend fun careful(phone: Phone, draft: ReportDraft, chooseArea: suspend () -> String, tell: (String) -> Unit) {
    // README: errors
    when (val saved = outcome { phone.report(draft) }) {
        is Outcome.Done -> tell("已保存 ${saved.value}")
        is Outcome.Failed -> when {
            saved.error.code == "report.confirm_area" -> phone.report(draft.copy(area = chooseArea()))
            saved.error is OneGridException.Storage -> tell(saved.error.zh)
            else -> throw saved.error
        }
    }
    // README end
}
