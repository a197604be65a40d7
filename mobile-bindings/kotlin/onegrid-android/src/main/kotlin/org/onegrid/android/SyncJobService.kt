package org.onegrid.android

import android.app.Notification
import android.app.job.JobParameters
import android.app.job.JobService
import android.os.Build
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.onegrid.OneGridException
import org.onegrid.Phone
import org.onegrid.SyncBudget
import org.onegrid.SyncReport

/** Implemented by the app's `Application`, so that jobs find the phone. */
interface PhoneOwner {
    /**
     * The phone of the signed-in member, opened if need be and resumed; `null` without such a member, or where a PIN
     * is needed. Called off the main thread, one call at a time. The owner keeps the phone and closes it.
     */
    suspend fun phoneForSync(): Phone?

    /**
     * Called when a sync in the background has ended. Show the result of [Phone.notifications] here, and suspend the
     * phone again while the app is not in the foreground.
     */
    suspend fun afterSync(phone: Phone, report: SyncReport?) = Unit

    /**
     * What the system shows while photos are transferred in the background, from API 34 on: a notification in a
     * channel of the app, without content. With `null` such transfers are ordinary jobs of a few minutes. Called on
     * the main thread.
     */
    fun filesNotification(): Notification? = null
}

/** Runs one sync for a job of [BackgroundSync]. It is declared in the manifest of this library. */
class SyncJobService : JobService() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val running = mutableMapOf<Int, Job>()

    /** Begins the sync; the system calls it on the main thread. */
    override fun onStartJob(params: JobParameters): Boolean {
        val owner = applicationContext as? PhoneOwner ?: return false
        val isTransfer = showTransfer(owner, params)
        running[params.jobId] = scope.launch {
            val end = sync(owner, if (isTransfer) TRANSFER_MS else JOB_MS)
            jobFinished(params, end == SyncEnd.AGAIN)
        }
        return true
    }

    /** Shows the notification that a job needs which the person began. Returns whether it is such a job. */
    private fun showTransfer(owner: PhoneOwner, params: JobParameters): Boolean {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.UPSIDE_DOWN_CAKE || !params.isUserInitiatedJob) return false
        val notification = owner.filesNotification() ?: return false
        setNotification(params, params.jobId, notification, JOB_END_NOTIFICATION_POLICY_REMOVE)
        return true
    }

    /** The system needs the time back. The sync is interrupted within a second, and the job runs again later. */
    override fun onStopJob(params: JobParameters): Boolean {
        running.remove(params.jobId)?.cancel()
        return true
    }

    /** Interrupts a sync that still runs. */
    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }
}

/** Whether a job has to run again soon. */
internal enum class SyncEnd { DONE, AGAIN }

/** A job may take ten minutes; some vendors grant less. */
private const val JOB_MS = 3 * 60 * 1000

/** A transfer that the person began may take as long as the network needs; the next job continues it. */
private const val TRANSFER_MS = 30 * 60 * 1000

internal suspend fun sync(owner: PhoneOwner, timeMs: Int = JOB_MS): SyncEnd {
    var report: SyncReport? = null
    try {
        val phone = owner.phoneForSync() ?: return SyncEnd.DONE
        try {
            report = phone.syncOnce(SyncBudget(timeMs = timeMs.toULong()))
        } finally {
            // This runs also when the system stops the job, because no file may stay open or locked then.
            withContext(NonCancellable) { owner.afterSync(phone, report) }
        }
        return if (report.more) SyncEnd.AGAIN else SyncEnd.DONE
    } catch (error: CancellationException) {
        throw error
    } catch (_: OneGridException.Network) {
        return SyncEnd.AGAIN
    } catch (_: OneGridException.Cancelled) {
        // The app went to the background in the middle of the sync.
        return SyncEnd.AGAIN
    } catch (_: OneGridException) {
        // Another try cannot help: no phone is enrolled, the phone is suspended, or the key is gone.
        return SyncEnd.DONE
    }
}
