// Robolectric calls `androidx.test:monitor`, which Maven Central does not have. The files of this folder are the
// part of its interface that Robolectric 4.16 links against; tests of this module use none of it themselves.
package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

object InstrumentationRegistry {
    private var current: Instrumentation? = null

    @JvmStatic
    fun registerInstance(instrumentation: Instrumentation?, arguments: Bundle?) {
        current = instrumentation
    }

    @JvmStatic
    fun getInstrumentation(): Instrumentation = checkNotNull(current) { "no test is running" }
}
