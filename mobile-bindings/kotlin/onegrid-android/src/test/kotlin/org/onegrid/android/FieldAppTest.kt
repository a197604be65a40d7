package org.onegrid.android

import android.app.Activity
import android.app.Application
import android.app.job.JobScheduler
import android.content.Intent
import android.net.ConnectivityManager
import android.os.Looper
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.onegrid.Datum
import org.onegrid.FieldInput
import org.onegrid.FieldValue
import org.onegrid.GeoPosition
import org.onegrid.OneGridException
import org.onegrid.ReportDraft
import org.onegrid.SyncState
import org.onegrid.WayBackKind
import org.onegrid.code
import org.onegrid.sample.scenario.Testbed
import org.onegrid.sample.scenario.needed
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import java.io.File
import kotlin.test.assertFailsWith

/** The app of the README on Android's own classes, with the real core and a real server. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = FieldApp::class)
class FieldAppTest {
    private val app: FieldApp = RuntimeEnvironment.getApplication() as FieldApp
    private lateinit var server: Testbed

    @Before
    fun start() {
        SoftKeystore.install()
        server = Testbed(File(System.getProperty("onegrid.root"), "target/debug/testbed"))
    }

    @After
    fun end() {
        app.onTerminate()
        server.close()
    }

    private suspend fun enrolled() = app.phone().also {
        it.enrol(server.ask("invite", "who" to "volunteer-1").needed("qr"), deviceName = "Pixel 6")
        it.syncOnce()
    }

    private fun hazard() = ReportDraft(
        kind = "hazard",
        fields = listOf(FieldInput("title", FieldValue.Text("楼道堆物"))),
        position = GeoPosition(30.31215, 120.11878, Datum.WGS84, 8u),
    )

    @Test
    fun openedPhone_keepsItsFilesOutsideBackups() = runBlocking {
        assertFalse(app.phone().me().enrolled)
        assertTrue(OneGridAndroid.folder(app).walk().any { it.name.startsWith("replica") })
        assertTrue(app.filesDir.walk().none { it.isFile })
    }

    @Test
    fun restoredBackup_saysKeyGoneAndStartsOver() = runBlocking {
        enrolled().close()
        app.onTerminate()
        SoftKeystore.keys.clear()
        OneGridAndroid.open(app).use { device ->
            val error = assertFailsWith<OneGridException.Key> { device.openSingle() }
            assertEquals("vault.key_gone", error.code)
            device.startOver(device.accounts().single().slot).let { again ->
                again.phone.use { assertEquals(WayBackKind.STARTED_OVER, again.wayBack.kind) }
            }
        }
    }

    @Test
    fun job_deliversWhatWaitsAndSuspendsThePhone() = runBlocking {
        val phone = enrolled()
        phone.report(hazard())
        phone.suspend()
        assertEquals(SyncEnd.DONE, sync(app))
        assertEquals(SyncState.SUSPENDED, phone.status().state)
        phone.resume()
        assertEquals(0, phone.undelivered())
    }

    @Test
    fun job_withoutANetwork_comesAgainAndLosesNothing() = runBlocking {
        val phone = enrolled()
        phone.report(hazard())
        server.ask("line", "up" to false)
        assertEquals(SyncEnd.AGAIN, sync(app))
        phone.resume()
        assertEquals(1, phone.undelivered())
    }

    @Test
    fun job_ofAPhoneThatIsNotEnrolled_isDone() = runBlocking {
        assertEquals(SyncEnd.DONE, sync(app))
    }

    @Test
    fun service_finishesItsJob() {
        runBlocking { enrolled().report(hazard()) }
        BackgroundSync.now(app)
        val job = app.getSystemService(JobScheduler::class.java).allPendingJobs.single()
        val service = Robolectric.buildService(SyncJobService::class.java).create()
        val params = org.robolectric.util.ReflectionHelpers.newInstance(android.app.job.JobParameters::class.java)
        org.robolectric.util.ReflectionHelpers.setField(params, "jobId", job.id)
        assertTrue(service.get().onStartJob(params))
        await { shadowOf(service.get()).isJobFinished }
        assertFalse(shadowOf(service.get()).isRescheduleNeeded)
        assertTrue("a job that is stopped comes again", service.get().onStopJob(params))
        service.destroy()
    }

    @Test
    fun triggers_followTheActivitiesTheNetworkAndTheCharger() = runBlocking {
        val phone = enrolled()
        val failed = mutableListOf<OneGridException>()
        SyncTriggers(app, phone, app.scope, failed::add).use { triggers ->
            triggers.start(foreground = false)
            val activity = Robolectric.buildActivity(Activity::class.java).setup()
            withTimeout(WAIT_MS) { phone.statuses.first { it.state == SyncState.UP_TO_DATE } }

            // Written in the foreground, it is delivered at once.
            phone.report(hazard())
            withTimeout(WAIT_MS) { phone.statuses.first { it.pending == 0uL } }

            // The app goes to the background with undelivered work; it asks for a job, and no file stays locked.
            server.ask("line", "up" to false)
            phone.report(hazard())
            activity.pause().stop()
            withTimeout(WAIT_MS) { phone.statuses.first { it.state == SyncState.SUSPENDED } }
            assertEquals(1, jobs())

            // In the background the charger and the network ask for a job; in the foreground they nudge.
            app.getSystemService(JobScheduler::class.java).cancelAll()
            app.sendBroadcast(Intent(Intent.ACTION_POWER_CONNECTED))
            await { jobs() == 1 }
            app.getSystemService(JobScheduler::class.java).cancelAll()
            val connectivity = app.getSystemService(ConnectivityManager::class.java)
            shadowOf(connectivity).networkCallbacks.forEach { it.onAvailable(connectivity.activeNetwork!!) }
            await { jobs() == 1 }

            server.ask("line", "up" to true)
            activity.start().resume()
            withTimeout(WAIT_MS) { phone.statuses.first { it.state == SyncState.UP_TO_DATE && it.pending == 0uL } }
        }
        assertEquals(emptyList<OneGridException>(), failed)
        assertTrue(shadowOf(app.getSystemService(ConnectivityManager::class.java)).networkCallbacks.isEmpty())
    }

    private fun jobs() = (app as Application).getSystemService(JobScheduler::class.java).allPendingJobs.size

    /** Lets the main thread work until the condition is true. */
    private fun await(isSo: () -> Boolean) {
        val end = System.nanoTime() + WAIT_MS * 1_000_000
        while (!isSo()) {
            check(System.nanoTime() < end) { "it does not come" }
            shadowOf(Looper.getMainLooper()).idle()
            Thread.yield()
        }
    }

    private companion object {
        /** Longer than any step takes on a busy machine; only a test that fails waits for it. */
        const val WAIT_MS = 120_000L
    }
}
