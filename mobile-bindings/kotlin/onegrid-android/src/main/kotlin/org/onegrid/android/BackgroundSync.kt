package org.onegrid.android

import android.app.job.JobInfo
import android.app.job.JobScheduler
import android.content.ComponentName
import android.content.Context
import android.os.Build
import org.onegrid.Phone
import java.util.concurrent.TimeUnit

/**
 * Sync in the background, by jobs of the system and without any service of a vendor. No work depends on it, because
 * some phones stop apps and cancel their jobs. So the app also syncs when it is opened, when it returns, and when the
 * network or the charger comes ([SyncTriggers]). Saved work waits until then.
 *
 * The jobs run in [SyncJobService], which asks the `Application` ([PhoneOwner]) for the phone.
 */
object BackgroundSync {
    /** The ids of the jobs are this number and the next three. Change it before the first call if they collide. */
    @Volatile
    var firstJobId: Int = 0x0E1D

    /**
     * Asks for a sync about every quarter of an hour (the shortest that Android allows) while there is a network, and
     * one more whenever the phone is charging. The jobs survive a restart of the phone. Call it after enrolling and
     * at every start; calling it again changes nothing.
     *
     * @return whether the system took both jobs.
     */
    fun schedule(context: Context): Boolean {
        val regular = job(context, Kind.REGULAR)
            .setPeriodic(TimeUnit.MINUTES.toMillis(PERIOD_MIN))
            .setPersisted(true)
        val charging = job(context, Kind.CHARGING)
            .setPeriodic(TimeUnit.HOURS.toMillis(CHARGING_PERIOD_H))
            .setRequiresCharging(true)
            .setPersisted(true)
        return listOf(regular, charging).map { unlessPending(context, it.build()) }.all { it }
    }

    /**
     * Asks for one sync as soon as there is a network: when the app goes to the background with undelivered work, or
     * when a push arrives. From API 31 it is an expedited job, which Android starts at once within a quota; where the
     * quota is used up, and on older phones, it is an ordinary job.
     *
     * @return whether the system took the job.
     */
    fun now(context: Context): Boolean {
        val scheduler = scheduler(context)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
            val expedited = job(context, Kind.NOW).setExpedited(true).build()
            if (scheduler.schedule(expedited) == JobScheduler.RESULT_SUCCESS) return true
        }
        val ordinary = job(context, Kind.NOW).setBackoffCriteria(BACKOFF_MS, JobInfo.BACKOFF_POLICY_EXPONENTIAL)
        return scheduler.schedule(ordinary.build()) == JobScheduler.RESULT_SUCCESS
    }

    /**
     * Asks for the transfer of the photos and recordings that are left, because the person sent or wants them. Call
     * it while the app is visible. From API 34 it is a job that the person began, which may run as long as the
     * transfer takes, if [PhoneOwner.filesNotification] gives a notification; otherwise, and on older phones, it is
     * the job of [now]. The policy of the phone ([org.onegrid.setFilesPolicy]) holds for it too.
     *
     * @return whether the system took the job; also `true` if no file is left.
     */
    suspend fun files(context: Context, phone: Phone): Boolean {
        val left = phone.status()
        return left.filesLeft == 0uL || files(context, left.bytesLeft.toLong())
    }

    internal fun files(context: Context, bytes: Long): Boolean {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) {
            val owner = context.applicationContext as? PhoneOwner
            if (owner?.filesNotification() != null) {
                // The status does not say which way the bytes go, so each way gets all of them.
                val transfer = job(context, Kind.FILES)
                    .setUserInitiated(true)
                    .setEstimatedNetworkBytes(bytes, bytes)
                // The system refuses it while the app is not visible.
                if (scheduler(context).schedule(transfer.build()) == JobScheduler.RESULT_SUCCESS) return true
            }
        }
        return now(context)
    }

    /** Cancels all jobs, because the member signed out, or the account was wiped. */
    fun cancel(context: Context) = Kind.entries.forEach { scheduler(context).cancel(it.id) }

    private fun unlessPending(context: Context, job: JobInfo): Boolean {
        val scheduler = scheduler(context)
        // Scheduling a periodic job again would begin its period anew, so the job would never run.
        if (scheduler.getPendingJob(job.id) != null) return true
        return scheduler.schedule(job) == JobScheduler.RESULT_SUCCESS
    }

    private fun job(context: Context, kind: Kind): JobInfo.Builder =
        JobInfo.Builder(kind.id, ComponentName(context, SyncJobService::class.java))
            .setRequiredNetworkType(JobInfo.NETWORK_TYPE_ANY)

    private fun scheduler(context: Context): JobScheduler =
        checkNotNull(context.getSystemService(JobScheduler::class.java)) { "the system has no JobScheduler" }

    private enum class Kind {
        REGULAR,
        CHARGING,
        NOW,
        FILES,
        ;

        val id: Int
            get() = firstJobId + ordinal
    }

    private const val PERIOD_MIN = 15L
    private const val CHARGING_PERIOD_H = 1L
    private const val BACKOFF_MS = 30_000L
}
