package org.onegrid.android

import android.app.Application
import android.net.nsd.NsdManager
import android.net.nsd.NsdServiceInfo
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.onegrid.MeetingService
import org.onegrid.ServiceText
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.net.Inet6Address
import java.net.InetAddress

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24, 34])
class MeetingDiscoveryTest {
    private val application: Application = RuntimeEnvironment.getApplication()
    private val service = MeetingService(
        kind = MeetingDiscovery.SERVICE_TYPE,
        name = "0badcafe",
        port = 40123u,
        txt = listOf(ServiceText(key = "v", value = "1")),
    )

    private fun inet(text: String): InetAddress = InetAddress.getByName(text)

    private fun found(version: String?, vararg hosts: String) = NsdServiceInfo().apply {
        serviceName = "0badcafe"
        port = 40123
        version?.let { setAttribute("v", it) }
        if (android.os.Build.VERSION.SDK_INT >= 34) {
            hostAddresses = hosts.map { inet(it) }
        } else {
            @Suppress("DEPRECATION")
            setHost(inet(hosts.first()))
        }
    }

    @Test
    fun addresses_haveTheFormOfACall() {
        assertEquals("192.168.43.1:40123", MeetingDiscovery.address(inet("192.168.43.1"), 40123))
        assertEquals("[fd00:0:0:0:0:0:0:7]:40123", MeetingDiscovery.address(inet("fd00::7"), 40123))
        val link = Inet6Address.getByAddress(null, inet("fe80::7").address, 3)
        assertEquals("[fe80:0:0:0:0:0:0:7%3]:40123", MeetingDiscovery.address(link, 40123))
    }

    @Test
    fun addresses_beyondTheLocalNetwork_areLeftOut() {
        val near = listOf("10.1.2.3", "172.16.0.1", "192.168.43.1", "169.254.1.1", "100.64.0.1", "fe80::7", "fd00::7")
        val far = listOf("8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:db8::7")
        assertEquals(near, near.filter { MeetingDiscovery.isNearby(inet(it)) })
        assertEquals(emptyList<String>(), far.filter { MeetingDiscovery.isNearby(inet(it)) })
    }

    @Test
    fun service_ofAnotherVersion_isLeftOut() {
        val here = listOf("192.168.43.1:40123")
        assertEquals(here, MeetingDiscovery.addresses(found("1", "192.168.43.1")))
        assertEquals(here, MeetingDiscovery.addresses(found(null, "192.168.43.1")))
        assertEquals(emptyList<String>(), MeetingDiscovery.addresses(found("2", "192.168.43.1")))
    }

    @Test
    @Config(sdk = [34])
    fun service_withSeveralAddresses_givesTheNearOnesInOrder() {
        val addresses = MeetingDiscovery.addresses(found("1", "2001:db8::7", "fd00::7", "192.168.43.1"))
        assertEquals(listOf("192.168.43.1:40123", "[fd00:0:0:0:0:0:0:7]:40123"), addresses)
    }

    @Test
    fun failures_haveNames() {
        val codes = listOf(
            NsdManager.FAILURE_INTERNAL_ERROR,
            NsdManager.FAILURE_ALREADY_ACTIVE,
            NsdManager.FAILURE_MAX_LIMIT,
            77,
        )
        val names = listOf(
            DiscoveryFailure.Internal,
            DiscoveryFailure.AlreadyActive,
            DiscoveryFailure.TooMany,
            DiscoveryFailure.Other,
        )
        assertEquals(names, codes.map { discoveryFailure(it) })
    }

    @Test
    fun announcement_thatTheSystemRefuses_isTold() {
        val told = mutableListOf<DiscoveryFailure>()
        val announced = MeetingDiscovery(application).announce(service, told::add)
        (announced as MeetingDiscovery.Registration)
            .onRegistrationFailed(NsdServiceInfo(), NsdManager.FAILURE_MAX_LIMIT)
        assertEquals(listOf(DiscoveryFailure.TooMany), told)
        announced.close()
    }

    @Test
    fun phoneWithoutTheService_saysSo() {
        val none = MeetingDiscovery(null as NsdManager?)
        val told = mutableListOf<DiscoveryFailure>()
        none.announce(service, told::add).close()
        assertEquals(listOf(DiscoveryFailure.Unavailable), told)
        val ended = assertThrows(DiscoveryException::class.java) { runBlocking { none.phones.first() } }
        assertEquals(DiscoveryFailure.Unavailable, ended.failure)
    }

    @Test
    fun announcement_endsTwiceWithoutHarm() {
        val announced = MeetingDiscovery(application).announce(service)
        announced.close()
        announced.close()
    }
}
