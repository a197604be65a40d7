package org.onegrid.android

import android.app.Application
import android.app.Notification
import android.app.job.JobInfo
import android.app.job.JobScheduler
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.onegrid.Phone
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** An app that shows a notification while photos are transferred. */
class TransferringApp : Application(), PhoneOwner {
    override suspend fun phoneForSync(): Phone? = null

    @Suppress("DEPRECATION")
    override fun filesNotification(): Notification = Notification.Builder(this).build()
}

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24, 34])
class BackgroundSyncTest {
    private val application: Application = RuntimeEnvironment.getApplication()
    private val scheduler = application.getSystemService(JobScheduler::class.java)

    @Test
    fun schedule_asksForARegularAndAChargingJobOnce() {
        assertTrue(BackgroundSync.schedule(application))
        assertTrue(BackgroundSync.schedule(application))
        val (regular, charging) = scheduler.allPendingJobs.sortedBy { it.id }
        assertEquals(2, scheduler.allPendingJobs.size)
        for (job in listOf(regular, charging)) {
            assertTrue(job.isPeriodic && job.isPersisted)
            assertEquals(SyncJobService::class.java.name, job.service.className)
        }
        assertEquals(15 * 60 * 1000L, regular.intervalMillis)
        assertEquals(listOf(false, true), listOf(regular, charging).map { it.isRequireCharging })
    }

    @Test
    fun now_asksForOneJobWithANetwork() {
        assertTrue(BackgroundSync.now(application))
        assertTrue(BackgroundSync.now(application))
        val job = scheduler.allPendingJobs.single()
        @Suppress("DEPRECATION")
        assertEquals(JobInfo.NETWORK_TYPE_ANY, job.networkType)
    }

    @Test
    @Config(sdk = [34])
    fun now_fromApi31IsExpedited() {
        BackgroundSync.now(application)
        assertTrue(scheduler.allPendingJobs.single().isExpedited)
    }

    @Test
    @Config(sdk = [34], application = TransferringApp::class)
    fun files_fromApi34AreATransferOfThePerson() {
        assertTrue(BackgroundSync.files(application, 5_000_000))
        val job = scheduler.allPendingJobs.single()
        assertTrue(job.isUserInitiated)
        assertEquals(5_000_000L, job.estimatedNetworkUploadBytes)
        assertEquals(5_000_000L, job.estimatedNetworkDownloadBytes)
    }

    @Test
    @Config(sdk = [34])
    fun files_withoutANotificationAreAnOrdinaryJob() {
        assertTrue(BackgroundSync.files(application, 5_000_000))
        assertFalse(scheduler.allPendingJobs.single().isUserInitiated)
    }

    @Test
    @Config(sdk = [24], application = TransferringApp::class)
    fun files_beforeApi34AreAnOrdinaryJob() {
        assertTrue(BackgroundSync.files(application, 5_000_000))
        assertEquals(SyncJobService::class.java.name, scheduler.allPendingJobs.single().service.className)
    }

    @Test
    fun cancel_leavesNoJob() {
        BackgroundSync.schedule(application)
        BackgroundSync.now(application)
        BackgroundSync.cancel(application)
        assertEquals(emptyList<JobInfo>(), scheduler.allPendingJobs)
    }
}
