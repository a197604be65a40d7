package org.onegrid

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.nio.charset.CharacterCodingException
import java.util.concurrent.atomic.AtomicBoolean

/** Reads and writes: short calls that block on the disk. */
@OptIn(ExperimentalCoroutinesApi::class)
private val diskCalls: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(8)

/** Calls that wait for the network. They have threads of their own, so that lists never wait behind a sync. */
@OptIn(ExperimentalCoroutinesApi::class)
private val networkCalls: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(8)

private const val CANCEL_AGAIN_MS = 50L

/** Runs a blocking call of the core off the caller's thread. */
internal suspend fun <T> blocking(call: () -> T): T {
    refuseInVault()
    return withContext(diskCalls) { guarded(call) }
}

/**
 * Runs a call that waits for the network. When the coroutine is cancelled, [cancel] breaks the call off; the
 * coroutine ends once the call has ended, which takes less than a second.
 */
internal suspend fun <T> network(cancel: () -> Unit, call: () -> T): T = coroutineScope {
    refuseInVault()
    val ended = AtomicBoolean()
    // Unconfined, so the thread that cancels also interrupts the call, even when the caller's thread is busy.
    val watcher = launch(Dispatchers.Unconfined, CoroutineStart.UNDISPATCHED) {
        try {
            awaitCancellation()
        } finally {
            withContext(NonCancellable) {
                // The call may not have begun to wait yet, so the cancel is repeated until it has ended.
                while (!ended.get()) {
                    runCatching(cancel)
                    delay(CANCEL_AGAIN_MS)
                }
            }
        }
    }
    try {
        withContext(networkCalls) {
            try {
                guarded(call)
            } finally {
                ended.set(true)
            }
        }
    } catch (error: OneGridException.Cancelled) {
        // Cancelled through the coroutine, it ends as every coroutine does.
        currentCoroutineContext().ensureActive()
        throw error
    } finally {
        ended.set(true)
        withContext(NonCancellable) { watcher.cancelAndJoin() }
    }
}

/** Gives every failure of a call as a [OneGridException]; errors of the JVM itself and cancellation pass. */
internal inline fun <T> guarded(call: () -> T): T = try {
    call()
} catch (error: OneGridException) {
    throw error
} catch (error: CancellationException) {
    throw error
} catch (error: CharacterCodingException) {
    // Half of a surrogate pair has no bytes in UTF-8; the call never reached the core.
    throw failure(BAD_CHARACTER, error, OneGridException::BadInput)
} catch (error: IllegalStateException) {
    // The handle was closed before or during the call.
    throw failure(SHUT, error, OneGridException::Busy)
} catch (error: Exception) {
    throw failure(BUG, error, OneGridException::Bug)
}

internal const val CALLED_BACK_IN = "phone.called_back_in"
internal const val BAD_CHARACTER = "text.bad_character"
internal const val SHUT = "phone.shut"
internal const val BUG = "phone.bug"

/** The error of a code of the table, with its sentences and [cause]. */
internal fun failure(
    code: String,
    cause: Throwable?,
    make: (String, String, String) -> OneGridException,
): OneGridException {
    val error = make(code, rawSentence(code, Language.ZH), rawSentence(code, Language.EN))
    cause?.let(error::initCause)
    return error
}
