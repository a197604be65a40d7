package org.onegrid.android

import android.app.Application
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import org.onegrid.Device
import org.onegrid.Phone
import org.onegrid.SyncReport

// The README takes its Android code from this file. The tests of this module run it.

// README: android
class FieldApp : Application(), PhoneOwner {
    val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val opening = Mutex()
    private var device: Device? = null
    private var phone: Phone? = null

    /** Opens the phone once; the first activity calls it, and so does a job when no activity has. */
    suspend fun phone(): Phone = opening.withLock {
        val device = device ?: OneGridAndroid.open(this).also { device = it }
        phone ?: device.openSingle().phone.also { phone = it }
    }

    override suspend fun phoneForSync(): Phone = phone().also { it.resume() }

    override suspend fun afterSync(phone: Phone, report: SyncReport?) {
        for (notification in phone.notifications()) {
            show(notification.zh, notification.record)
            phone.notificationsTaken(notification.no)
        }
        if (!isVisible) phone.suspend()
    }

    // README end
    val shown = mutableListOf<String>()
    var isVisible = false

    private fun show(words: String, record: String?) {
        shown += "$words $record"
    }

    override fun onTerminate() {
        scope.cancel()
        phone?.close()
        device?.close()
        super.onTerminate()
    }
}
