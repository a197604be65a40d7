package org.onegrid

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Test
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotEquals
import kotlin.test.assertSame
import kotlin.test.assertTrue

class ErrorsTest {
    private val root = File(System.getProperty("onegrid.root"))

    @Test
    fun codes_areThoseOfTheOneTable() {
        val table = File(root, "core/src/texts.tsv").readLines()
            .filter { it.isNotBlank() && !it.startsWith("#") }
            .map { it.substringBefore('\t') }
            .toSet()
        val known = OneGrid.errorCodes.toSet()
        assertEquals(emptySet(), table - known, "codes that the library lacks")
        assertEquals(emptySet(), known - table, "codes that the table lacks")
    }

    @Test
    fun sentences_areThereInBothLanguages() {
        val zh = OneGrid.sentence("vault.key_gone", Language.ZH)
        val en = OneGrid.sentence("vault.key_gone", Language.EN)
        assertNotEquals(zh, en)
        assertEquals("no.such_code", OneGrid.sentence("no.such_code", Language.EN))
        val error = failure("vault.key_gone", null, OneGridException::Key)
        assertEquals(listOf(zh, en), listOf(error.sentence(Language.ZH), error.sentence(Language.EN)))
    }

    @Test
    fun everyFailure_isGivenAsOneGridsOwn() {
        val cases = mapOf(
            java.nio.charset.MalformedInputException(1) to "text.bad_character",
            IllegalStateException("destroyed") to "phone.shut",
            InternalException("a panic") to "phone.bug",
        )
        for ((thrown, code) in cases) {
            val error = assertFailsWith<OneGridException> { guarded { throw thrown } }
            assertEquals(code, error.code)
            assertSame(thrown, error.cause)
        }
    }

    @Test
    fun outcome_givesOnlyOneGridsErrorsAsValues() = runBlocking {
        assertEquals(Outcome.Done(1), outcome { 1 })
        val error = failure("may.role", null, OneGridException::Denied)
        assertEquals(Outcome.Failed(error), outcome { throw error })
        assertFailsWith<NumberFormatException> { outcome { "x".toInt() } }
        assertTrue(error.message.orEmpty().contains("may.role"))
    }
}
