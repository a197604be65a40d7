package org.onegrid.android

import android.app.Application
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.onegrid.MeetingService
import org.onegrid.ServiceText
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24, 34])
class MeetingDiscoveryTest {
    private val application: Application = RuntimeEnvironment.getApplication()

    @Test
    fun addresses_haveTheFormOfACall() {
        assertEquals("192.168.43.1:40123", MeetingDiscovery.address("192.168.43.1", 40123))
        assertEquals("[fe80::7]:40123", MeetingDiscovery.address("fe80::7%wlan0", 40123))
    }

    @Test
    fun announcement_endsTwiceWithoutHarm() {
        val texts = listOf(ServiceText(key = "v", value = "1"))
        val service = MeetingService(
            kind = MeetingDiscovery.SERVICE_TYPE,
            name = "0badcafe",
            port = 40123u,
            txt = texts,
        )
        val announced = MeetingDiscovery(application).announce(service)
        announced.close()
        announced.close()
    }
}
