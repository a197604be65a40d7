package org.onegrid.sample

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Test
import org.onegrid.AnswerChange
import org.onegrid.Phone
import org.onegrid.RawPhone
import org.onegrid.UniffiWithHandle
import org.onegrid.sample.scenario.Player
import org.onegrid.sample.scenario.ScenarioFailure
import java.io.File
import kotlin.test.assertContains
import kotlin.test.assertFailsWith

/** A method that is wired to another one makes a scenario fail. */
class MiswiringTest {
    @Test
    fun commentThatIsNotWritten_failsAScenario() {
        class Miswired(raw: RawPhone) : RawPhone(UniffiWithHandle, raw.uniffiCloneHandle()) {
            override fun comment(
                record: String,
                text: String,
                mentions: List<String>,
                attachments: List<String>,
            ): String = record
        }
        assertContains(failureOf("live_and_listeners", ::Miswired), "comments")
    }

    @Test
    fun photoThatIsNotAskedFor_failsAScenario() {
        class Miswired(raw: RawPhone) : RawPhone(UniffiWithHandle, raw.uniffiCloneHandle()) {
            override fun wantAttachment(record: String, id: String) = Unit
        }
        assertContains(failureOf("photos_before_and_after", ::Miswired), "want_attachment")
    }

    @Test
    fun phoneThatDoesNotComeBack_failsAScenario() {
        class Miswired(raw: RawPhone) : RawPhone(UniffiWithHandle, raw.uniffiCloneHandle()) {
            override fun resume() = Unit
        }
        assertContains(failureOf("suspend_in_a_sync", ::Miswired), "replica.suspended")
    }

    @Test
    fun answersThatAreNotWritten_failAScenario() {
        class Miswired(raw: RawPhone) : RawPhone(UniffiWithHandle, raw.uniffiCloneHandle()) {
            override fun answer(record: String, changes: List<AnswerChange>): String = record
        }
        assertContains(failureOf("two_people_one_visit", ::Miswired), "form")
    }

    /** The failure of a scenario whose phones are miswired. */
    private fun failureOf(name: String, miswire: (RawPhone) -> RawPhone): String {
        val raw = Phone::class.java.getDeclaredField("raw").apply { isAccessible = true }
        val make = Phone::class.java.getDeclaredConstructor(RawPhone::class.java).apply { isAccessible = true }
        val player = Player(testbed, adapt = { phone -> make.newInstance(miswire(raw.get(phone) as RawPhone)) })
        val failure = assertFailsWith<ScenarioFailure> {
            runBlocking { player.play(File(root, "mobile-bindings/scenarios/$name.json")) }
        }
        return failure.message.orEmpty()
    }
}
