package org.onegrid

import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull

class FileVaultTest {
    @TempDir
    private lateinit var temp: Path

    @Test
    fun savedSecret_isLoadedByAnotherVaultOnTheFolder() {
        FileVault(temp.resolve("vault")).save("account.1", byteArrayOf(1, 2, 3))
        FileVault(temp.resolve("vault")).save("account.1", byteArrayOf(4))
        assertContentEquals(byteArrayOf(4), FileVault(temp.resolve("vault")).load("account.1"))
    }

    @Test
    fun absentSecret_isNullAndRemovingItIsNoError() {
        val vault = FileVault(temp.resolve("vault"))
        assertNull(vault.load("nothing"))
        vault.remove("nothing")
        vault.save("something", ByteArray(0))
        vault.remove("something")
        assertNull(vault.load("something"))
    }

    @Test
    fun files_areReadableByTheirOwnerOnly() {
        val folder = temp.resolve("vault")
        FileVault(folder).save("key", byteArrayOf(1))
        val of = { path: Path -> PosixFilePermissions.toString(Files.getPosixFilePermissions(path)) }
        assertEquals("rwx------", of(folder))
        assertEquals("rw-------", of(folder.resolve("key")))
        assertEquals(listOf("key"), folder.toFile().list().orEmpty().toList())
    }

    @Test
    fun nameThatLeadsElsewhere_isRefused() {
        val vault = FileVault(temp.resolve("vault"))
        for (name in listOf("../key", "a/b", "", "A", "a".repeat(65))) {
            assertFailsWith<VaultException.Failed>(name) { vault.save(name, byteArrayOf(1)) }
        }
    }

    @Test
    fun folderThatIsAFile_failsWithoutAPath() {
        val file = Files.createFile(temp.resolve("vault"))
        val error = assertFailsWith<VaultException.Failed> { FileVault(file).save("key", byteArrayOf(1)) }
        assertEquals(false, "$temp" in error.reason)
    }
}
