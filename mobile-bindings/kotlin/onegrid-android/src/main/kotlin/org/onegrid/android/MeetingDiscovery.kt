package org.onegrid.android

import android.content.Context
import android.net.nsd.NsdManager
import android.net.nsd.NsdServiceInfo
import android.os.Build
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.suspendCancellableCoroutine
import org.onegrid.MeetingService
import java.net.Inet4Address
import java.net.Inet6Address
import java.net.InetAddress
import java.util.concurrent.ConcurrentHashMap
import kotlin.coroutines.resume

/** The reason why the system announces no listener or finds no phone. The code of a meeting needs neither. */
sealed interface DiscoveryFailure {
    /** The phone has no such service. */
    data object Unavailable : DiscoveryFailure

    /** A fault of the system (`FAILURE_INTERNAL_ERROR`). Another try may succeed. */
    data object Internal : DiscoveryFailure

    /** The same search or announcement runs already (`FAILURE_ALREADY_ACTIVE`). */
    data object AlreadyActive : DiscoveryFailure

    /** The apps of the phone have too many searches and announcements (`FAILURE_MAX_LIMIT`). */
    data object TooMany : DiscoveryFailure

    /** Another code, such as one of a newer Android. */
    data object Other : DiscoveryFailure
}

/** The failure that a code of [NsdManager] means. */
internal fun discoveryFailure(code: Int): DiscoveryFailure = when (code) {
    NsdManager.FAILURE_INTERNAL_ERROR -> DiscoveryFailure.Internal
    NsdManager.FAILURE_ALREADY_ACTIVE -> DiscoveryFailure.AlreadyActive
    NsdManager.FAILURE_MAX_LIMIT -> DiscoveryFailure.TooMany
    else -> DiscoveryFailure.Other
}

/** The end of a search that the system refused. */
class DiscoveryException(
    /** The reason. */
    val failure: DiscoveryFailure,
) : Exception("the system finds no phones: $failure")

/**
 * Finds phones that wait for a meeting in the same Wi-Fi network, and announces this one. An announcement tells no
 * name of a person; its own is random for each listener. It needs no permission beyond INTERNET.
 *
 * ```
 * discovery.announce(listener.service()).use { phone.acceptMeeting(listener) }
 * discovery.phones.first().let { phone.meetAt(it) }
 * ```
 */
class MeetingDiscovery internal constructor(private val manager: NsdManager?) {
    constructor(context: Context) : this(context.applicationContext.getSystemService(NsdManager::class.java))

    /**
     * Announces a listener until the result is closed.
     *
     * @param failed called on a thread of the system if it does not announce the listener.
     */
    fun announce(service: MeetingService, failed: (DiscoveryFailure) -> Unit = {}): AutoCloseable {
        val registration = Registration(service.name, failed)
        if (manager == null) {
            failed(DiscoveryFailure.Unavailable)
            return registration
        }
        val info = NsdServiceInfo().apply {
            serviceName = service.name
            serviceType = service.kind
            port = service.port.toInt()
            service.txt.forEach { setAttribute(it.key, it.value) }
        }
        manager.registerService(info, NsdManager.PROTOCOL_DNS_SD, registration)
        return registration
    }

    /**
     * The phones that wait, without this one: for each the addresses with ports, for [org.onegrid.Phone.meetAt].
     * Phones whose version of meetings this app does not know are left out. Collecting fails with
     * [DiscoveryException] if the system does not search.
     */
    val phones: Flow<List<String>> = callbackFlow {
        val system = manager ?: run {
            close(DiscoveryException(DiscoveryFailure.Unavailable))
            return@callbackFlow
        }
        // The system resolves one service at a time.
        val found = Channel<NsdServiceInfo>(Channel.UNLIMITED)
        launch {
            for (info in found) {
                val reachable = resolved(system, info)?.let { addresses(it) }.orEmpty()
                if (reachable.isNotEmpty() && info.serviceName !in own) send(reachable)
            }
        }
        val search = object : NsdManager.DiscoveryListener {
            override fun onServiceFound(info: NsdServiceInfo) {
                if (info.serviceName !in own) found.trySend(info)
            }

            override fun onStartDiscoveryFailed(type: String, code: Int) {
                close(DiscoveryException(discoveryFailure(code)))
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

    /** Resolves a service. Another app may be resolving one at the same time, so it is tried a few times. */
    private suspend fun resolved(system: NsdManager, info: NsdServiceInfo): NsdServiceInfo? {
        repeat(RESOLVE_TRIES) {
            val (answer, failure) = resolvedOnce(system, info)
            if (failure != DiscoveryFailure.AlreadyActive) return answer
            delay(RESOLVE_PAUSE_MS)
        }
        return null
    }

    /** `resolveService` has a successor from API 34 on only. */
    @Suppress("DEPRECATION")
    private suspend fun resolvedOnce(
        system: NsdManager,
        info: NsdServiceInfo,
    ): Pair<NsdServiceInfo?, DiscoveryFailure?> = suspendCancellableCoroutine { waiting ->
        system.resolveService(
            info,
            object : NsdManager.ResolveListener {
                override fun onServiceResolved(info: NsdServiceInfo) = waiting.resume(info to null)

                override fun onResolveFailed(info: NsdServiceInfo, code: Int) =
                    waiting.resume(null to discoveryFailure(code))
            },
        )
    }

    internal inner class Registration(
        private val name: String,
        private val failed: (DiscoveryFailure) -> Unit,
    ) : NsdManager.RegistrationListener, AutoCloseable {
        // The system chooses another name if the network has this one already.
        @Volatile
        private var registered = name

        init {
            own.add(name)
        }

        // A registration that never began cannot be ended.
        override fun close() {
            runCatching { manager?.unregisterService(this) }
            own.removeAll(setOf(name, registered))
        }

        override fun onServiceRegistered(info: NsdServiceInfo) {
            registered = info.serviceName
            own.add(registered)
        }

        override fun onRegistrationFailed(info: NsdServiceInfo, code: Int) = failed(discoveryFailure(code))

        override fun onServiceUnregistered(info: NsdServiceInfo) = Unit

        override fun onUnregistrationFailed(info: NsdServiceInfo, code: Int) = Unit
    }

    internal companion object {
        /** As in [MeetingService.kind]. */
        const val SERVICE_TYPE = "_onegrid._tcp"

        /** The key and the value of the version in [MeetingService.txt]. */
        private const val VERSION_KEY = "v"
        private const val VERSION = "1"

        private const val RESOLVE_TRIES = 5
        private const val RESOLVE_PAUSE_MS = 500L

        /** The names of this app's own announcements: a search finds them as well. */
        private val own: MutableSet<String> = ConcurrentHashMap.newKeySet()

        /** `host` has a successor with all addresses from API 34 on only. */
        @Suppress("DEPRECATION")
        fun addresses(info: NsdServiceInfo): List<String> {
            val version = info.attributes[VERSION_KEY]?.decodeToString()
            // Some phones hand out no attributes; then the meeting itself tells the versions apart.
            if (version != null && version != VERSION) return emptyList()
            val hosts = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) {
                info.hostAddresses
            } else {
                listOfNotNull(info.host)
            }
            return hosts.filter { isNearby(it) }.sortedBy { it !is Inet4Address }.map { address(it, info.port) }
        }

        /** An address with its port, in the form that [org.onegrid.Phone.meetAt] takes. */
        fun address(host: InetAddress, port: Int): String {
            val text = checkNotNull(host.hostAddress).substringBefore('%')
            if (host !is Inet6Address) return "$text:$port"
            // An address of one link alone needs the number of its interface.
            val scope = if (host.isLinkLocalAddress && host.scopeId > 0) "%${host.scopeId}" else ""
            return "[$text$scope]:$port"
        }

        /** Whether the core calls such an address; one that is not of a local network refuses the whole call. */
        fun isNearby(host: InetAddress): Boolean {
            if (host.isLoopbackAddress || host.isLinkLocalAddress) return true
            val first = host.address[0].toInt() and 0xff
            val second = host.address[1].toInt() and 0xff
            return when (host) {
                is Inet4Address -> host.isSiteLocalAddress || first == 100 && second and 0xc0 == 64
                else -> first and 0xfe == 0xfc
            }
        }
    }
}
