/* The time, in seconds. */
#ifndef NF_BASE_CLOCK_H
#define NF_BASE_CLOCK_H

#include <time.h>

/* The time that passes; of no use as a date. */
static inline double nf_clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The date, since 1970, to the millisecond. */
static inline double nf_clock_date(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-3 * (double)(t.tv_nsec / 1000000);
}

#endif
