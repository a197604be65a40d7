/* Shifts the real-time clock of the process that preloads it by ONEGRID_CLOCK_SHIFT_S seconds, as in a phone with a
 * wrong clock. The monotonic clock stays.
 *
 *   cc -shared -fPIC -o clock.so clock.c
 *   LD_PRELOAD=./clock.so ONEGRID_CLOCK_SHIFT_S=315576000 program
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at)
{
    int failed = (int)syscall(SYS_clock_gettime, id, at);
    const char *shift = getenv("ONEGRID_CLOCK_SHIFT_S");
    if (!failed && id == CLOCK_REALTIME && shift)
        at->tv_sec += atol(shift);
    return failed;
}

time_t time(time_t *out)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out)
        *out = at.tv_sec;
    return at.tv_sec;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
