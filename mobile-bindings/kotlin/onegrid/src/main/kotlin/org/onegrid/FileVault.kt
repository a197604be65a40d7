package org.onegrid

import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardOpenOption.CREATE
import java.nio.file.StandardOpenOption.READ
import java.nio.file.StandardOpenOption.TRUNCATE_EXISTING
import java.nio.file.StandardOpenOption.WRITE
import java.nio.file.attribute.PosixFilePermissions

/**
 * A [KeyVault] for desktops and servers: a file a secret in [folder], readable by its owner only (mode 0600 in a
 * folder of mode 0700). A reader of the folder can read the replica, so keep it outside every backup and
 * never use it on a phone; `onegrid-android` has `KeystoreVault`.
 *
 * `save` returns once the secret survives power loss. Safe for use from several threads of one process.
 *
 * @param folder is made when it is needed first.
 */
class FileVault(private val folder: Path) : KeyVault {
    /**
     * The secret under [name], or `null`.
     *
     * @throws VaultException.Failed if the file cannot be read.
     */
    @Synchronized
    override fun load(name: String): ByteArray? = storing {
        try {
            Files.readAllBytes(file(name))
        } catch (_: NoSuchFileException) {
            null
        }
    }

    /**
     * Stores [secret] under [name], durably and as a whole.
     *
     * @throws VaultException.Failed if the file cannot be written.
     */
    @Synchronized
    override fun save(name: String, secret: ByteArray) = storing {
        val target = file(name)
        makeFolder()
        val next = folder.resolve("$name.next~")
        if (isPosix()) {
            Files.deleteIfExists(next)
            Files.createFile(next, PosixFilePermissions.asFileAttribute(OWNER_ONLY))
        }
        FileChannel.open(next, CREATE, WRITE, TRUNCATE_EXISTING).use { channel ->
            val bytes = ByteBuffer.wrap(secret)
            while (bytes.hasRemaining()) channel.write(bytes)
            channel.force(true)
        }
        Files.move(next, target, ATOMIC_MOVE)
        syncFolder()
    }

    /**
     * Removes the secret under [name], if there is one.
     *
     * @throws VaultException.Failed if the file cannot be removed.
     */
    @Synchronized
    override fun remove(name: String) = storing {
        if (Files.deleteIfExists(file(name))) syncFolder()
    }

    private fun file(name: String): Path {
        if (!NAME.matches(name)) throw VaultException.Failed("bad name")
        return folder.resolve(name)
    }

    private fun makeFolder() {
        if (Files.isDirectory(folder)) return
        Files.createDirectories(folder)
        if (isPosix()) Files.setPosixFilePermissions(folder, FOLDER_OF_OWNER)
    }

    /** The name of a file is durable once its folder is. A system that cannot sync a folder needs no such call. */
    private fun syncFolder() {
        if (isPosix()) FileChannel.open(folder, READ).use { it.force(true) }
    }

    private fun isPosix(): Boolean = "posix" in folder.fileSystem.supportedFileAttributeViews()

    private inline fun <T> storing(act: () -> T): T = try {
        act()
    } catch (error: IOException) {
        throw VaultException.Failed(error.javaClass.simpleName)
    }

    private companion object {
        val NAME = Regex("[a-z0-9._-]{1,64}")
        val OWNER_ONLY = PosixFilePermissions.fromString("rw-------")
        val FOLDER_OF_OWNER = PosixFilePermissions.fromString("rwx------")
    }
}
