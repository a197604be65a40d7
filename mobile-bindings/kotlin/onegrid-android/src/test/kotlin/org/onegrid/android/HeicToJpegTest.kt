package org.onegrid.android

import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.onegrid.OneGridException
import org.onegrid.code
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowBitmapFactory

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [24, 34])
class HeicToJpegTest {
    @Test
    fun sampleSize_halvesUntilThePixelsFit() {
        assertEquals(1, HeicToJpeg.sampleSize(4032, 3024))
        assertEquals(2, HeicToJpeg.sampleSize(8064, 6048))
        assertEquals(4, HeicToJpeg.sampleSize(16320, 12240))
        assertEquals(1, HeicToJpeg.sampleSize(-1, -1))
    }

    @Test
    fun convert_refusesBytesThatAreNoPicture() {
        ShadowBitmapFactory.setAllowInvalidImageData(false)
        val error = assertThrows(OneGridException.BadInput::class.java) {
            runBlocking { HeicToJpeg.convert(ByteArray(64)) }
        }
        assertEquals("media.damaged", error.code)
    }
}
