package org.onegrid.android

import android.app.Activity
import android.app.Application
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.net.ConnectivityManager
import android.net.Network
import android.os.Bundle
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.launch
import org.onegrid.OneGridException
import org.onegrid.Phone

/**
 * Keeps one phone in step while the app's process lives: live sync while an activity is visible, a suspended phone
 * without any file lock otherwise, and a sync when the network or the charger comes.
 *
 * ```
 * triggers = SyncTriggers(application, phone, applicationScope).also { it.start(foreground = true) }
 * ```
 *
 * @param scope lives as long as the process; the work is done in it, in order.
 * @param failed gets the error, for the log; no work is lost by it.
 */
class SyncTriggers(
    private val application: Application,
    private val phone: Phone,
    private val scope: CoroutineScope,
    private val failed: (OneGridException) -> Unit = {},
) : AutoCloseable {
    private enum class Event { FOREGROUND, BACKGROUND, NUDGE }

    private val events = Channel<Event>(Channel.UNLIMITED)

    /** Activities that are visible; only the main thread writes it. */
    @Volatile
    private var visible = 0

    /**
     * Begins. Call it on the main thread, once.
     *
     * @param foreground whether an activity of the app is visible already, such as the one where the PIN was entered.
     */
    fun start(foreground: Boolean) {
        visible = if (foreground) 1 else 0
        scope.launch(start = CoroutineStart.UNDISPATCHED) { for (event in events) handle(event) }
        application.registerActivityLifecycleCallbacks(activities)
        // Not exported: the system alone sends it.
        application.registerReceiver(charger, IntentFilter(Intent.ACTION_POWER_CONNECTED))
        connectivity()?.registerDefaultNetworkCallback(network)
        if (foreground) events.trySend(Event.FOREGROUND)
    }

    /** Ends; the phone stays as it is. */
    override fun close() {
        application.unregisterActivityLifecycleCallbacks(activities)
        application.unregisterReceiver(charger)
        connectivity()?.unregisterNetworkCallback(network)
        events.close()
    }

    private suspend fun handle(event: Event) = try {
        when (event) {
            Event.FOREGROUND -> {
                phone.resume()
                phone.liveStart()
                phone.nudge()
            }
            Event.BACKGROUND -> {
                if (phone.status().filesLeft > 0uL) {
                    BackgroundSync.files(application, phone)
                } else if (phone.undelivered() > 0) {
                    BackgroundSync.now(application)
                }
                phone.suspend()
                Unit
            }
            Event.NUDGE -> if (visible > 0) {
                phone.nudge()
            } else {
                BackgroundSync.now(application)
                Unit
            }
        }
    } catch (error: OneGridException) {
        failed(error)
    }

    private fun connectivity(): ConnectivityManager? =
        application.getSystemService(ConnectivityManager::class.java)

    private val network = object : ConnectivityManager.NetworkCallback() {
        override fun onAvailable(network: Network) {
            events.trySend(Event.NUDGE)
        }
    }

    private val charger = object : BroadcastReceiver() {
        override fun onReceive(context: Context, intent: Intent) {
            events.trySend(Event.NUDGE)
        }
    }

    private val activities = object : Application.ActivityLifecycleCallbacks {
        override fun onActivityStarted(activity: Activity) {
            visible += 1
            if (visible == 1) events.trySend(Event.FOREGROUND)
        }

        override fun onActivityStopped(activity: Activity) {
            visible -= 1
            // A rotation stops one activity and starts the next; suspending the phone would be useless.
            if (visible == 0 && !activity.isChangingConfigurations) events.trySend(Event.BACKGROUND)
        }

        override fun onActivityCreated(activity: Activity, state: Bundle?) = Unit

        override fun onActivityResumed(activity: Activity) = Unit

        override fun onActivityPaused(activity: Activity) = Unit

        override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit

        override fun onActivityDestroyed(activity: Activity) = Unit
    }
}
