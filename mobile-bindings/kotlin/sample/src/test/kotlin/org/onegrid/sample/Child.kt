package org.onegrid.sample

import kotlinx.coroutines.runBlocking
import org.onegrid.Device
import org.onegrid.DeviceConfig
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.FileVault
import org.onegrid.OneGridException
import org.onegrid.Phone
import org.onegrid.ReportDraft
import org.onegrid.code
import java.nio.file.Path
import java.util.concurrent.TimeUnit

/** `child FOLDER ACTION…`: another process on the files of a phone. Prints one line an action. */
fun main(arguments: Array<String>) = runBlocking {
    val folder = Path.of(arguments[0])
    println(
        said {
            Device.open(DeviceConfig(folder.resolve("device").toString()), FileVault(folder.resolve("vault"))).use { device ->
                device.openSingle().phone.use { phone ->
                    arguments.drop(1).forEach { action -> println(said { phone.does(action) }) }
                }
            }
            "closed"
        },
    )
}

private suspend fun Phone.does(action: String): String = when (action) {
    "report" -> {
        val title = FieldInput("title", FieldValue.Text("另一个进程"))
        report(ReportDraft("hazard", listOf(title), HERE))
    }
    "sync" -> "equal ${syncOnce().equal}"
    "undelivered" -> "undelivered ${undelivered()}"
    else -> error(action)
}

private suspend fun said(act: suspend () -> String): String = try {
    act()
} catch (error: OneGridException) {
    error.code
}

/** Runs [main] in a Java of its own and gives its lines. */
internal fun child(folder: Path, vararg actions: String, environment: Map<String, String> = emptyMap()): List<String> {
    val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
    val command = listOf(
        java,
        "-Djna.library.path=${System.getProperty("jna.library.path")}",
        "-cp",
        System.getProperty("java.class.path"),
        "org.onegrid.sample.ChildKt",
        folder.toString(),
    ) + actions
    val process = ProcessBuilder(command)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .apply { environment().putAll(environment) }
        .start()
    val lines = process.inputStream.bufferedReader().readLines()
    check(process.waitFor(WAIT_MS, TimeUnit.MILLISECONDS)) { "the other process hangs" }
    return lines
}
