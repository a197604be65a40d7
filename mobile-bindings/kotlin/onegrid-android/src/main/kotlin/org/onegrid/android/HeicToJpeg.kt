package org.onegrid.android

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.onegrid.AttachmentInfo
import org.onegrid.Language
import org.onegrid.OneGrid
import org.onegrid.OneGridException
import org.onegrid.Phone
import org.onegrid.addAttachment
import org.onegrid.code
import java.io.ByteArrayOutputStream

/**
 * Makes JPEG of pictures that the phone can show, such as HEIC (from Android 9), PNG and WebP. Records hold JPEG
 * alone, because every phone shows it.
 */
object HeicToJpeg {
    /**
     * Converts a picture. One of more than 12.6 million pixels becomes smaller, by halves, so that phones with little
     * memory convert it too.
     *
     * @param bytes the picture.
     * @return JPEG of at most 8 MiB.
     * @throws OneGridException.BadInput with `media.damaged` if the phone cannot decode the picture,
     *   `media.too_large` if it stays larger than 8 MiB.
     */
    suspend fun convert(bytes: ByteArray): ByteArray = withContext(Dispatchers.Default) {
        val size = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(bytes, 0, bytes.size, size)
        val options = BitmapFactory.Options().apply { inSampleSize = sampleSize(size.outWidth, size.outHeight) }
        val bitmap = BitmapFactory.decodeByteArray(bytes, 0, bytes.size, options) ?: throw refused("media.damaged")
        try {
            QUALITIES.firstNotNullOfOrNull { jpeg(bitmap, it) } ?: throw refused("media.too_large")
        } finally {
            bitmap.recycle()
        }
    }

    /** How many pixels become one, along each side. */
    internal fun sampleSize(width: Int, height: Int): Int {
        var sample = 1
        while ((width / sample).toLong() * (height / sample) > PIXELS_MAX) sample *= 2
        return sample
    }

    private fun jpeg(bitmap: Bitmap, quality: Int): ByteArray? {
        val out = ByteArrayOutputStream()
        val isWritten = bitmap.compress(Bitmap.CompressFormat.JPEG, quality, out)
        return out.toByteArray().takeIf { isWritten && it.size <= BYTES_MAX }
    }

    private fun refused(code: String) =
        OneGridException.BadInput(code, OneGrid.sentence(code, Language.ZH), OneGrid.sentence(code, Language.EN))

    private val QUALITIES = listOf(85, 70, 50)
    private const val PIXELS_MAX = 12_600_000
    private const val BYTES_MAX = 8 * 1024 * 1024
}

/**
 * Adds a picture in any format that the phone can show: JPEG as it is, others through [HeicToJpeg].
 *
 * @throws OneGridException as [addAttachment] does.
 */
suspend fun Phone.addPicture(bytes: ByteArray): AttachmentInfo = try {
    addAttachment(bytes)
} catch (error: OneGridException.BadInput) {
    if (error.code != "media.needs_jpeg") throw error
    addAttachment(HeicToJpeg.convert(bytes))
}
