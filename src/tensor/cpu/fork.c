#include "tensor/cpu/fork.h"

#include <omp.h>
#include <pthread.h>
#include <stdbool.h>

static _Thread_local bool alone;

/* No region of this thread is divided any more, whatever number of threads it asks for. */
static void in_child(void) {
    alone = true;
    omp_set_max_active_levels(0);
}

static void watch_forks(void) {
    pthread_atfork(NULL, NULL, in_child);
}

void nf_fork_prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
}

int nf_fork_threads(int threads) {
    return alone ? 1 : threads;
}
