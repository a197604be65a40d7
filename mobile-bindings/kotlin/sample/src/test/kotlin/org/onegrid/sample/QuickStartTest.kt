package org.onegrid.sample

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.FormStanding
import org.onegrid.Language
import org.onegrid.ReportDraft
import org.onegrid.sample.scenario.Testbed
import org.onegrid.sample.scenario.needed
import java.io.File
import java.nio.file.Path
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** The code of the README, against a real server. */
class QuickStartTest {
    private lateinit var server: Testbed

    @TempDir
    private lateinit var folder: Path

    @BeforeEach
    fun start() {
        server = Testbed(testbed)
    }

    @AfterEach
    fun end() = server.close()

    @Test
    fun quickStart_report_isSeenByAnotherPhone() = runBlocking {
        val record = quickStart(folder, server.ask("invite", "who" to "volunteer-1").needed("qr"))
        opened(server, folder.resolve("other"), "grid-worker").use { other ->
            other.phone.syncOnce()
            assertEquals("楼道堆物，堵了消防通道", other.phone.record(record).row.title)
        }
    }

    @Test
    fun follow_report_isShownWithoutAsking() = runBlocking {
        val scope = CoroutineScope(Dispatchers.Default)
        opened(server, folder, "volunteer-1").use { volunteer ->
            val title = "电梯困人"
            val appeared = CompletableDeferred<Unit>()
            follow(volunteer.phone, scope, { rows -> if (rows.any { it.title == title }) appeared.complete(Unit) }, {})
            volunteer.phone.report(hazard(title))
            withTimeout(WAIT_MS) { appeared.await() }
            scope.cancel()
        }
    }

    @Test
    fun resolve_ofAnUnassignedCase_saysWhyNot() = runBlocking {
        opened(server, folder, "volunteer-1").use { volunteer ->
            val record = volunteer.phone.report(hazard("井盖缺失"))
            val told = mutableListOf<String>()
            resolve(volunteer.phone, record, told::add)
            assertTrue(told.single().isNotBlank())
        }
    }

    @Test
    fun visit_withAProblem_endsAndItsFindingIsAHazard() = runBlocking {
        opened(server, folder, "grid-worker").use { worker ->
            val told = mutableListOf<String>()
            val (visit, hazard) = visit(worker.phone, HERE, told::add)
            assertTrue(told.any { "充电数量不能超过总数" in it }, told.toString())
            assertTrue(told.any { "没有任何改动" in it }, told.toString())
            assertEquals(visit, worker.phone.record(hazard).linked)
            assertEquals(FormStanding.DONE, worker.phone.form(visit).standing)
            worker.phone.syncOnce()
            opened(server, folder.resolve("other"), "community-officer").use { other ->
                assertEquals("finished", other.phone.record(visit).row.stage.code)
            }
        }
    }

    @Test
    fun careful_withoutASurePlace_asksForTheArea() = runBlocking {
        opened(server, folder, "volunteer-1").use { volunteer ->
            val unsure = hazard("路灯不亮").let { it.copy(position = it.position?.copy(accuracyM = 400u)) }
            val nearest = volunteer.phone.locate(unsure.position!!).candidates.first().area
            val told = mutableListOf<String>()
            careful(volunteer.phone, unsure, { nearest }, told::add)
            careful(volunteer.phone, hazard("路灯还不亮"), { nearest }, told::add)
            assertContains(told.single(), "已保存")
            assertEquals(2, volunteer.phone.count())
        }
    }

    @Test
    fun terminal_dayOfWork_isDoneByTyping() = runBlocking {
        val lines = mutableListOf<String>()
        fresh(folder).use { volunteer ->
            val terminal = Terminal(volunteer.phone, Language.EN, lines::add)
            terminal.take("sync")
            assertContains(lines.last(), "replica.not_enrolled")
            terminal.take("enrol " + server.ask("invite", "who" to "volunteer-1").needed("qr"))
            terminal.take("sync")
            terminal.take("report 30.31215 120.11878 Gas cylinders in the kitchen")
            terminal.take("list")
            assertContains(lines.last(), "Gas cylinders in the kitchen undelivered")
            terminal.take("sync")
            terminal.take("show 1")
            terminal.take("comment 1 five or six of them")
            terminal.take("do 1 danger_remains still there")
            terminal.take("list mine")
            terminal.take("show 9")
            assertContains(lines.last(), "no such number")
            assertEquals(false, terminal.take("quit"))
            assertEquals(listOf("five or six of them"), volunteer.phone.list().rows.single().let { row ->
                volunteer.phone.record(row.id).comments.map { it.text }
            })
        }
    }

    @Test
    fun readme_code_isTakenFromThisModule() {
        val compiled = sources(File(root, "mobile-bindings/kotlin/sample/src/main")) +
            sources(File(root, "mobile-bindings/kotlin/onegrid-android/src"))
        val blocks = Regex("```kotlin\n(.*?)```", RegexOption.DOT_MATCHES_ALL)
            .findAll(File(root, "mobile-bindings/kotlin/README.md").readText())
            .map { it.groupValues[1] }
            .toList()
        assertTrue(blocks.size >= 4, "the README shows its code")
        for (block in blocks) {
            assertTrue(compiled.any { plain(block) in it }, "not in the compiled sources:\n$block")
        }
    }

    private fun sources(folder: File): List<String> =
        folder.walk().filter { it.extension == "kt" }.map { plain(it.readText()) }.toList()

    /** Without indentation and empty lines. */
    private fun plain(code: String) = code.lines().map(String::trim).filter(String::isNotEmpty).joinToString("\n")

    private fun hazard(title: String) = ReportDraft(
        kind = "hazard",
        fields = listOf(FieldInput("title", FieldValue.Text(title)), FieldInput("category", FieldValue.Text("building"))),
        position = HERE,
    )
}
