package org.onegrid.android

import android.system.ErrnoException
import android.system.Os
import android.system.OsConstants
import java.io.File
import java.io.FileNotFoundException
import java.io.FileOutputStream
import java.io.IOException

/** A small file that is whole or absent, also after a power cut. */
internal class DurableFile(private val file: File) {
    private val folder: File = checkNotNull(file.parentFile)

    /** Its bytes; `null` if it is absent. */
    fun read(): ByteArray? = try {
        file.readBytes()
    } catch (_: FileNotFoundException) {
        if (file.exists()) throw IOException("the file can not be read")
        null
    }

    fun write(bytes: ByteArray) {
        if (!folder.isDirectory && !folder.mkdirs()) throw IOException("the folder can not be made")
        val next = File(folder, "${file.name}.next")
        FileOutputStream(next).use {
            it.write(bytes)
            it.fd.sync()
        }
        if (!next.renameTo(file)) throw IOException("the file can not be renamed")
        syncFolder()
    }

    fun remove() {
        if (!file.delete() && file.exists()) throw IOException("the file can not be removed")
        if (folder.exists()) syncFolder()
    }

    /** A new name is durable once its folder is. Some file systems cannot open a folder; they need no such sync. */
    private fun syncFolder() {
        val opened = try {
            Os.open(folder.path, OsConstants.O_RDONLY, 0)
        } catch (_: ErrnoException) {
            return
        }
        try {
            Os.fsync(opened)
        } catch (error: ErrnoException) {
            if (error.errno != OsConstants.EINVAL) throw IOException("the folder can not be synced")
        } finally {
            Os.close(opened)
        }
    }
}
