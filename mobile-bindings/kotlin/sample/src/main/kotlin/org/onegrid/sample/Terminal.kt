package org.onegrid.sample

import org.onegrid.Datum
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.GeoPosition
import org.onegrid.Language
import org.onegrid.MoveInput
import org.onegrid.NeedKind
import org.onegrid.OneGridException
import org.onegrid.Phone
import org.onegrid.Query
import org.onegrid.RecordRow
import org.onegrid.ReportDraft
import org.onegrid.Word
import org.onegrid.code
import org.onegrid.sentence

/**
 * The field client: one line in, some lines out. Records have the numbers of the last list, so a person types no ids.
 */
class Terminal(
    private val phone: Phone,
    private val language: Language,
    private val print: (String) -> Unit,
) {
    private var shown: List<RecordRow> = emptyList()

    /** Runs the command in [line]. Gives `false` when the person wants to leave. */
    suspend fun take(line: String): Boolean {
        val words = line.trim().split(Regex("\\s+"), limit = 2)
        val rest = words.getOrElse(1) { "" }
        try {
            when (words[0]) {
                "" -> Unit
                "quit" -> return false
                "enrol" -> enrol(rest)
                "me" -> me()
                "report" -> report(rest)
                "list" -> show(phone.list(query(rest)).rows)
                "search" -> show(phone.search(rest).rows)
                "show" -> show(numbered(rest).first)
                "moves" -> moves(numbered(rest).first)
                "do" -> move(numbered(rest))
                "comment" -> numbered(rest).let { (record, text) -> phone.comment(record, text) }
                "sync" -> sync()
                "tally" -> phone.tally().let { print(said(it.zh, it.en)) }
                "notices" -> notices()
                else -> HELP.forEach(print)
            }
        } catch (error: OneGridException) {
            // The sentence is complete for the person, so only the code is added.
            print("${error.sentence(language)} (${error.code})")
        } catch (_: NoSuchElementException) {
            print(said("没有这个编号，请先列出。", "There is no such number; list first."))
        }
        return true
    }

    private suspend fun enrol(rest: String) {
        val (invitation, server) = rest.split(' ', limit = 2).let { it[0] to it.getOrNull(1) }
        val me = phone.enrol(invitation, server, "终端 / terminal")
        print(said("已登记：${me.zh}", "Enrolled: ${me.en}"))
    }

    private suspend fun me() {
        val me = phone.me()
        print(said(me.zh, me.en).ifEmpty { "–" })
        me.roles.forEach { print("  ${said(it.role)} · ${said(it.zh, it.en)}") }
    }

    /** `report LAT LON TITLE`; the accuracy of a typed position is as good as the person who typed it. */
    private suspend fun report(rest: String) {
        val (lat, lon, title) = rest.split(' ', limit = 3).takeIf { it.size == 3 }
            ?: return print("report LAT LON TITLE")
        val position = GeoPosition(
            lat = lat.toDoubleOrNull() ?: return print("LAT?"),
            lon = lon.toDoubleOrNull() ?: return print("LON?"),
            datum = Datum.WGS84,
            accuracyM = 10u,
        )
        val draft = ReportDraft("hazard", listOf(FieldInput("title", FieldValue.Text(title))), position)
        val record = try {
            phone.report(draft)
        } catch (error: OneGridException.BadInput) {
            if (error.code != "report.confirm_area") throw error
            // A field app lets the person choose; the terminal takes the nearest.
            val nearest = phone.locate(position).candidates.firstOrNull() ?: throw error
            phone.report(draft.copy(area = nearest.area))
        }
        val detail = phone.record(record)
        print(said("已保存：", "Saved: ") + said(detail.zhArea, detail.enArea) + " · " + title)
    }

    private fun query(rest: String) = when (rest) {
        "mine" -> Query(mine = true)
        "all" -> Query()
        "overdue" -> Query(overdue = true)
        "conflicts" -> Query(inConflict = true)
        else -> Query(open = true)
    }

    private fun show(rows: List<RecordRow>) {
        shown = rows
        if (rows.isEmpty()) print(said("没有。", "None."))
        rows.forEachIndexed { number, row ->
            val marks = listOfNotNull(
                said("未送达", "undelivered").takeIf { row.undelivered > 0u },
                said("冲突", "conflict").takeIf { row.conflicts > 0u },
                said("超期", "overdue").takeIf { row.overdue },
            )
            print("${number + 1}. [${said(row.stage)}] ${row.title} ${marks.joinToString(" ")}".trimEnd())
        }
    }

    private suspend fun show(record: String) {
        val detail = phone.record(record)
        print("${said(detail.row.kind)} · ${said(detail.row.stage)} · ${said(detail.zhArea, detail.enArea)}")
        detail.fields.forEach { print("  ${said(it.zhLabel, it.enLabel)}: ${said(it.zh, it.en)}") }
        detail.conflicts.forEach { print("  ! ${said(it.zh, it.en)}") }
        phone.timeline(record).items.forEach { print("  · ${said(it.zh, it.en)}") }
        detail.comments.forEach { print("  “${it.text}” ${said(it.zhName, it.enName)}") }
        phone.opened(record)
    }

    private suspend fun moves(record: String) = phone.moves(record).forEach { option ->
        val needs = option.needs.filter { it.kind != NeedKind.OPTIONAL }.joinToString { it.input.code }
        val why = option.why?.let { said(it) }
        print("  ${option.movement.code} ${said(option.movement)}: ${if (option.allowed) "✓ $needs" else "– $why"}")
    }

    /** `do N MOVE [TEXT]`. */
    private suspend fun move(numbered: Pair<String, String>) {
        val (record, rest) = numbered
        val (movement, text) = rest.split(' ', limit = 2).let { it[0] to it.getOrNull(1) }
        val assignment = phone.moves(record).firstOrNull { it.movement.code == movement && it.allowed }?.assignment
        phone.act(record, MoveInput(movement = movement, assignment = assignment, text = text))
        print(said(phone.record(record).row.stage))
    }

    private suspend fun sync() {
        val report = phone.syncOnce()
        val (up, down) = report.bytesUp to report.bytesDown
        print(said("送出 ${report.pushed}，收到 ${report.pulled}", "sent ${report.pushed}, got ${report.pulled}") + " ($up ↑ $down ↓)")
    }

    private suspend fun notices() {
        val notices = phone.notices()
        notices.forEach { print("• ${said(it.zh, it.en)} ${it.detail}".trimEnd()) }
        notices.lastOrNull()?.let { phone.noticesSeen(it.no) }
    }

    /** `N REST`: the record that the last list showed as N. */
    private fun numbered(rest: String): Pair<String, String> {
        val words = rest.split(' ', limit = 2)
        val row = words[0].toIntOrNull()?.let { shown.getOrNull(it - 1) } ?: throw NoSuchElementException()
        return row.id to words.getOrElse(1) { "" }
    }

    private fun said(word: Word): String = said(word.zh, word.en)

    private fun said(zh: String, en: String): String = if (language == Language.ZH) zh else en

    private companion object {
        val HELP = listOf(
            "enrol CODE [SERVER]    me    sync    tally    notices    quit",
            "report LAT LON TITLE",
            "list [mine|all|overdue|conflicts]    search WORDS",
            "show N    moves N    do N MOVE [TEXT]    comment N TEXT",
        )
    }
}
