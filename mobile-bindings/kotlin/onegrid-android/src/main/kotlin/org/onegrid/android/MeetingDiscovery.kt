package org.onegrid.android

import android.content.Context
import android.net.nsd.NsdManager
import android.net.nsd.NsdServiceInfo
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.suspendCancellableCoroutine
import org.onegrid.MeetingService
import kotlin.coroutines.resume

/**
 * Finds phones that wait for a meeting in the same Wi-Fi network, and announces this one. An announcement tells no
 * name of a person; its own is random for each listener.
 *
 * ```
 * discovery.announce(listener.service()).use { phone.acceptMeeting(listener) }
 * discovery.phones.first().let { phone.meetAt(listOf(it)) }
 * ```
 */
class MeetingDiscovery(context: Context) {
    private val manager = context.applicationContext.getSystemService(NsdManager::class.java)

    /** Announces a listener until the result is closed. A phone without the service of the system announces nothing. */
    fun announce(service: MeetingService): AutoCloseable {
        val info = NsdServiceInfo().apply {
            serviceName = service.name
            serviceType = service.kind
            port = service.port.toInt()
            service.txt.forEach { setAttribute(it.key, it.value) }
        }
        val registration = Registration()
        manager?.registerService(info, NsdManager.PROTOCOL_DNS_SD, registration)
        return AutoCloseable { registration.end() }
    }

    /** The addresses of phones that wait, each with its port, for [org.onegrid.Phone.meetAt]. */
    val phones: Flow<String> = callbackFlow {
        val system = manager ?: run {
            close()
            return@callbackFlow
        }
        // The system resolves one service at a time.
        val found = Channel<NsdServiceInfo>(Channel.UNLIMITED)
        launch { for (info in found) resolved(system, info)?.let { send(it) } }
        val search = object : NsdManager.DiscoveryListener {
            override fun onServiceFound(info: NsdServiceInfo) {
                found.trySend(info)
            }

            override fun onStartDiscoveryFailed(type: String, code: Int) {
                close()
            }

            override fun onServiceLost(info: NsdServiceInfo) = Unit

            override fun onDiscoveryStarted(type: String) = Unit

            override fun onDiscoveryStopped(type: String) = Unit

            override fun onStopDiscoveryFailed(type: String, code: Int) = Unit
        }
        system.discoverServices(SERVICE_TYPE, NsdManager.PROTOCOL_DNS_SD, search)
        awaitClose {
            found.close()
            // A search that never began cannot be stopped.
            runCatching { system.stopServiceDiscovery(search) }
        }
    }

    /** `resolveService` and `host` have successors from API 34 on only. */
    @Suppress("DEPRECATION")
    private suspend fun resolved(system: NsdManager, info: NsdServiceInfo): String? =
        suspendCancellableCoroutine { waiting ->
            system.resolveService(
                info,
                object : NsdManager.ResolveListener {
                    override fun onServiceResolved(info: NsdServiceInfo) {
                        waiting.resume(info.host?.hostAddress?.let { address(it, info.port) })
                    }

                    override fun onResolveFailed(info: NsdServiceInfo, code: Int) {
                        waiting.resume(null)
                    }
                },
            )
        }

    private inner class Registration : NsdManager.RegistrationListener {
        // A registration that never began cannot be ended.
        fun end() {
            runCatching { manager?.unregisterService(this) }
        }

        override fun onServiceRegistered(info: NsdServiceInfo) = Unit

        override fun onRegistrationFailed(info: NsdServiceInfo, code: Int) = Unit

        override fun onServiceUnregistered(info: NsdServiceInfo) = Unit

        override fun onUnregistrationFailed(info: NsdServiceInfo, code: Int) = Unit
    }

    internal companion object {
        /** As in [MeetingService.kind]. */
        const val SERVICE_TYPE = "_onegrid._tcp"

        /** An address with its port, in the form that [org.onegrid.Phone.meetAt] takes. */
        fun address(host: String, port: Int): String =
            if (':' in host) "[${host.substringBefore('%')}]:$port" else "$host:$port"
    }
}
