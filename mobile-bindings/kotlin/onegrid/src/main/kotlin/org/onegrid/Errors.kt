package org.onegrid

/**
* The stable code of the error, `area.reason`, such as `may.role`. Codes never change their meaning, so an app may
 * branch on them; the class of the error ([OneGridException.Network], [OneGridException.Key] …) is coarser.
 */
val OneGridException.code: String
    get() = parts().first

/** The sentence for the person in Chinese: the problem, the work that was kept, and the next step. */
val OneGridException.zh: String
    get() = parts().second

/** The sentence for the person in English: the problem, the work that was kept, and the next step. */
val OneGridException.en: String
    get() = parts().third

/** The sentence for the person in [language]. */
fun OneGridException.sentence(language: Language): String = when (language) {
    Language.ZH -> zh
    Language.EN -> en
}

private fun OneGridException.parts(): Triple<String, String, String> = when (this) {
    is OneGridException.Denied -> Triple(code, zh, en)
    is OneGridException.BadInput -> Triple(code, zh, en)
    is OneGridException.NotFound -> Triple(code, zh, en)
    is OneGridException.Key -> Triple(code, zh, en)
    is OneGridException.Storage -> Triple(code, zh, en)
    is OneGridException.Network -> Triple(code, zh, en)
    is OneGridException.Busy -> Triple(code, zh, en)
    is OneGridException.NewerApp -> Triple(code, zh, en)
    is OneGridException.Cancelled -> Triple(code, zh, en)
    is OneGridException.Bug -> Triple(code, zh, en)
}

/** The result of a call as a value, for code that prefers `when` to `try`. Made by [outcome]. */
sealed interface Outcome<out T> {
    /** The call succeeded. */
    data class Done<out T>(
        /** The value of the call. */
        val value: T,
    ) : Outcome<T>

    /** The call was refused or failed. */
    data class Failed(
        /** The error, with a code and a sentence in both languages. */
        val error: OneGridException,
    ) : Outcome<Nothing>
}

/**
 * Runs [call] and gives its result, or its [OneGridException], as a value. Cancellation and errors that are not
 * OneGrid's pass through.
 */
inline fun <T> outcome(call: () -> T): Outcome<T> = try {
    Outcome.Done(call())
} catch (error: OneGridException) {
    Outcome.Failed(error)
}
