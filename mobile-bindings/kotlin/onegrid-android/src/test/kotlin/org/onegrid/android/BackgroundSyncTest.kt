package org.onegrid.android

import android.app.Application
import android.app.job.JobInfo
import android.app.job.JobScheduler
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

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
    fun cancel_leavesNoJob() {
        BackgroundSync.schedule(application)
        BackgroundSync.now(application)
        BackgroundSync.cancel(application)
        assertEquals(emptyList<JobInfo>(), scheduler.allPendingJobs)
    }
}
