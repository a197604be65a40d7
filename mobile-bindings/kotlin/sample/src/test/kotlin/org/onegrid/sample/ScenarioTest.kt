package org.onegrid.sample

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import org.onegrid.sample.scenario.Player
import java.io.File
import kotlin.test.assertTrue

/** The scenarios that all bindings play. */
class ScenarioTest {
    @TestFactory
    fun scenarios(): List<DynamicTest> {
        val files = File(root, "mobile-bindings/scenarios").listFiles { file -> file.extension == "json" }.orEmpty()
        assertTrue(files.size >= 12, "the scenarios are missing")
        return files.sorted().map { file ->
            DynamicTest.dynamicTest(file.nameWithoutExtension) { runBlocking { Player(testbed).play(file) } }
        }
    }
}

internal val root = File(System.getProperty("onegrid.root"))
internal val testbed = File(root, "target/debug/testbed")
