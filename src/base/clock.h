/* The time that passes, in seconds; of no use as a date. */
#ifndef NF_BASE_CLOCK_H
#define NF_BASE_CLOCK_H

#include <time.h>

static inline double nf_clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
