#include "base/mapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* A handler may not wait for a lock: places are taken and given back one by one, and one is in use
 * while its end is not 0. */
enum { MOST_MAPPINGS = 1024 };

typedef struct guarded_mapping {
    _Atomic uintptr_t start, end; /* end: of the last page */
    atomic_bool taken, lost;
} guarded_mapping;

static guarded_mapping mappings[MOST_MAPPINGS];
static struct sigaction before;
static atomic_uintptr_t page_size;
static _Thread_local bool passes_on;

static guarded_mapping *mapping_at(uintptr_t address) {
    for (size_t i = 0; i < MOST_MAPPINGS; i++) {
        uintptr_t end = atomic_load(&mappings[i].end);
        if (end && address < end && address >= atomic_load(&mappings[i].start)) return &mappings[i];
    }
    return NULL;
}

/* To the handler that was there; if that one passes on to this, or there was none, the same access is
 * made again with the default action. */
static void pass_on(int number, siginfo_t *info, void *context) {
    bool is_function = before.sa_flags & SA_SIGINFO ||
                       (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN);
    if (!is_function || passes_on) {
        signal(number, SIG_DFL);
        return;
    }
    passes_on = true; /* a handler that jumps out has it cleared by the next fault that is served */
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(number, info, context);
    else
        before.sa_handler(number);
    passes_on = false;
}

/* Zeros from the page that failed to the mapping's end. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
    int kept = errno;
    uintptr_t address = (uintptr_t)info->si_addr & ~(atomic_load(&page_size) - 1);
    guarded_mapping *mapping = info->si_code > 0 ? mapping_at(address) : NULL;
    if (mapping) {
        atomic_store(&mapping->lost, true);
        passes_on = false;
        size_t size = atomic_load(&mapping->end) - address;
        if (mmap((void *)address, size, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0) == MAP_FAILED)
            mapping = NULL;
    }
    if (!mapping) pass_on(number, info, context);
    errno = kept;
}

/* Sets the handler if there is another now: programs set theirs when they like. */
static bool set_handler(void) {
    struct sigaction now, action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_bus_error;
    sigemptyset(&action.sa_mask);
    atomic_store(&page_size, (uintptr_t)sysconf(_SC_PAGESIZE));
    if (sigaction(SIGBUS, NULL, &now) != 0) return false;
    if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_bus_error) return true;
    before = now;
    return sigaction(SIGBUS, &action, NULL) == 0;
}

static bool has_handler(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    bool is_set = set_handler();
    pthread_mutex_unlock(&lock);
    return is_set;
}

bool nf_mapping_guard(const void *start, size_t size) {
    if (!has_handler()) return false;
    uintptr_t page = atomic_load(&page_size);
    for (size_t i = 0; i < MOST_MAPPINGS; i++) {
        guarded_mapping *m = &mappings[i];
        if (atomic_exchange(&m->taken, true)) continue;
        atomic_store(&m->lost, false);
        atomic_store(&m->start, (uintptr_t)start);
        atomic_store(&m->end, ((uintptr_t)start + size + page - 1) & ~(page - 1));
        return true;
    }
    return false;
}

void nf_mapping_release(const void *start) {
    guarded_mapping *m = mapping_at((uintptr_t)start);
    if (!m) return;
    atomic_store(&m->end, 0);
    atomic_store(&m->taken, false);
}

bool nf_mapping_lost(const void *start) {
    guarded_mapping *m = mapping_at((uintptr_t)start);
    return m && atomic_load(&m->lost);
}
