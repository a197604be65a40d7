package org.onegrid.sample

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.onegrid.Device
import org.onegrid.DeviceConfig
import org.onegrid.FileVault
import org.onegrid.Language
import org.onegrid.OneGridException
import org.onegrid.code
import org.onegrid.sample.scenario.Player
import org.onegrid.sample.scenario.ScenarioFailure
import org.onegrid.sentence
import java.io.File
import java.nio.file.Path
import kotlin.system.exitProcess

private const val USAGE = """sample FOLDER [en]               a field client in the terminal; its files are in FOLDER
sample play TESTBED SCENARIO…    plays scenarios against a real server"""

fun main(arguments: Array<String>): Unit = runBlocking {
    val code = when {
        arguments.isEmpty() -> usage()
        arguments[0] == "play" && arguments.size > 2 -> play(File(arguments[1]), arguments.drop(2).map(::File))
        else -> client(Path.of(arguments[0]), if (arguments.getOrNull(1) == "en") Language.EN else Language.ZH)
    }
    exitProcess(code)
}

private fun usage(): Int {
    println(USAGE)
    return 2
}

private suspend fun play(testbed: File, scenarios: List<File>): Int {
    var failed = 0
    for (scenario in scenarios) {
        println(scenario.nameWithoutExtension)
        try {
            Player(testbed, ::println).play(scenario)
        } catch (failure: ScenarioFailure) {
            println("failed: ${failure.message}")
            failed += 1
        }
    }
    println("${scenarios.size - failed} passed, $failed failed")
    return if (failed == 0) 0 else 1
}

private suspend fun client(folder: Path, language: Language): Int = try {
    Device.open(DeviceConfig(folder.resolve("device").toString()), FileVault(folder.resolve("vault"))).use { device ->
        val opened = device.openSingle()
        val wayBack = if (language == Language.ZH) opened.wayBack.zh else opened.wayBack.en
        if (wayBack.isNotEmpty()) println(wayBack)
        opened.phone.use { phone ->
            val terminal = Terminal(phone, language, ::println)
            terminal.take("help")
            runBlocking {
                // News from others is printed at once, between the lines that the person types.
                launch {
                    phone.notificationsComing.collect { notification ->
                        println(if (language == Language.ZH) notification.zh else notification.en)
                        phone.notificationsTaken(notification.no)
                    }
                }
                if (phone.me().enrolled) phone.liveStart()
                while (true) {
                    val line = withContext(Dispatchers.IO) { readlnOrNull() } ?: break
                    if (!terminal.take(line)) break
                }
                coroutineContext.cancelChildren()
            }
        }
    }
    0
} catch (error: OneGridException) {
    println("${error.sentence(language)} (${error.code})")
    1
}
