package org.onegrid

import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.withContext
import java.util.concurrent.ConcurrentHashMap

/** The events that a collector has not taken yet: one value, and later ones are merged into it. */
private class Inbox<T : Any>(private val merge: (T, T) -> T) {
    private var waiting: T? = null
    val wake = Channel<Unit>(Channel.CONFLATED)

    /** Never blocks, so a slow collector never holds up the core's thread or another listener. */
    fun put(value: T) {
        synchronized(this) { waiting = waiting?.let { merge(it, value) } ?: value }
        wake.trySend(Unit)
    }

    fun take(): T? = synchronized(this) { waiting.also { waiting = null } }
}

/** The collectors of one phone. Their flows complete when the phone is closed. */
internal class Listening {
    private val open: MutableSet<Channel<Unit>> = ConcurrentHashMap.newKeySet()

    @Volatile
    private var ended = false

    /**
     * A flow that subscribes when it is collected and ends the subscription with the collection. [begin] is emitted
     * once the subscription exists.
     */
    fun <T : Any> to(
        begin: T?,
        merge: (older: T, newer: T) -> T,
        subscribe: (put: (T) -> Unit) -> RawSubscription,
    ): Flow<T> = flow {
        val inbox = Inbox(merge)
        open += inbox.wake
        if (ended) inbox.wake.close()
        try {
            val subscription = blocking { subscribe(inbox::put) }
            try {
                begin?.let { emit(it) }
                for (signal in inbox.wake) inbox.take()?.let { emit(it) }
            } finally {
                withContext(NonCancellable) {
                    blocking {
                        subscription.cancel()
                        subscription.close()
                    }
                }
            }
        } finally {
            open -= inbox.wake
        }
    }

    fun end() {
        ended = true
        open.forEach { it.close() }
    }
}

/** The limit of records that one event names, as in the core; beyond it [RecordChanges.all] is set. */
private const val RECORDS_NAMED_MAX = 1_000

/** Merges two changes into one. */
internal fun merged(older: RecordChanges, newer: RecordChanges): RecordChanges {
    val records = (older.records + newer.records).distinct()
    return RecordChanges(
        records = records.take(RECORDS_NAMED_MAX),
        all = older.all || newer.all || records.size > RECORDS_NAMED_MAX,
        directory = older.directory || newer.directory,
        notices = older.notices || newer.notices,
    )
}
