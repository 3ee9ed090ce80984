/* The out-of-memory device: makes the n-th allocation fail, for every n, as jansson's and SQLite's
 * tests do. A test named tests/test_oom*.c is linked with --wrap for the allocating functions (see
 * the Makefile), so that all allocations of the library and the test come through here; jansson's
 * do through json_set_alloc_funcs. Include this in one file only.
 *
 *     static nerfit_status work(nerfit_error *err) { ... free all it made ...; return status; }
 *     oom_try_all("name", work, OOM_IS_SAID);
 *
 * `work` must report the failure and leave nothing allocated, whichever allocation fails. */
#ifndef NF_TEST_OOM_H
#define NF_TEST_OOM_H

#include "test.h"

#include <jansson.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);

typedef enum oom_rule {
    OOM_IS_SAID,        /* a failed allocation makes `work` fail with NERFIT_NO_MEMORY */
    OOM_IN_PARSER,      /* so it does, save where it was jansson's: jansson 2.14 drops a byte of a
                        * token for which it finds no room (its lex_save), and goes on */
    OOM_OUTSIDE_PARSER, /* so it does, and none of jansson's fails: with the long texts of a model's
                         * files a byte that it drops can make it crash */
    OOM_MAY_BE_SILENT,  /* some memory is for a convenience that may be left out */
} oom_rule;

static struct {
    _Atomic size_t calls;  /* allocations asked for since oom_arm */
    size_t fail_at;        /* the call that fails, from 1; 0: none */
    bool stays;            /* and all after it */
    _Atomic size_t failed; /* how many did */
    size_t bytes;          /* what the first of them asked for */
    bool failed_in_jansson, in_jansson, spares_jansson;
    _Atomic long live; /* allocated and not freed */
} oom;

static bool oom_fails(size_t bytes) {
    size_t call = ++oom.calls;
    if (!oom.fail_at || call < oom.fail_at) return false;
    if (call > oom.fail_at && !oom.stays) return false;
    if (!oom.failed++) oom.bytes = bytes;
    if (oom.in_jansson) oom.failed_in_jansson = true;
    return true;
}

static void *oom_count(void *memory) {
    if (memory) oom.live++;
    return memory;
}

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

void *__wrap_malloc(size_t size) {
    return oom_fails(size) ? NULL : oom_count(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
    return oom_fails(count * size) ? NULL : oom_count(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size) {
    if (oom_fails(size)) return NULL;
    void *grown = __real_realloc(memory, size);
    return memory ? grown : oom_count(grown);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return oom_fails(size) ? NULL : oom_count(__real_aligned_alloc(alignment, size));
}

char *__wrap_strdup(const char *text) {
    return oom_fails(strlen(text) + 1) ? NULL : oom_count(__real_strdup(text));
}

void __wrap_free(void *memory) {
    if (memory) oom.live--;
    __real_free(memory);
}

static void *oom_jansson_malloc(size_t size) {
    if (oom.spares_jansson) return oom_count(__real_malloc(size));
    oom.in_jansson = true;
    void *memory = __wrap_malloc(size);
    oom.in_jansson = false;
    return memory;
}

static void oom_arm(size_t fail_at, bool stays) {
    json_set_alloc_funcs(oom_jansson_malloc, __wrap_free);
    oom.calls = oom.failed = 0;
    oom.failed_in_jansson = false;
    oom.fail_at = fail_at;
    oom.stays = stays;
}

static void oom_disarm(void) {
    oom.fail_at = 0;
}

/* Runs `work` with the 1st, 2nd, ... allocation failing alone, until none is left to fail; then
 * with an allocation and all after it failing (of many allocations, every 7th).
 * Returns how many allocations `work` makes. */
static size_t oom_try_all(const char *name, nerfit_status (*work)(nerfit_error *err),
                          oom_rule rule) {
    size_t n_allocations = 0;
    oom.spares_jansson = rule == OOM_OUTSIDE_PARSER;
    for (int stays = 0; stays <= 1; stays++) {
        for (size_t n = 1;; n += stays && n > 100 ? 7 : 1) {
            nerfit_error err = {0};
            long before = oom.live;
            oom_arm(n, stays);
            nerfit_status status = work(&err);
            oom_disarm();
            if (oom.live != before)
                fail_msg("%s: allocation %zu failed: %ld left allocated", name, n,
                         oom.live - before);
            if (!oom.failed) {
                if (status != NERFIT_OK) fail_msg("%s: fails by itself: %s", name, err.text);
                if (!stays) n_allocations = n - 1;
                break;
            }
            bool excused = rule == OOM_IN_PARSER && oom.failed_in_jansson;
            if (status == NERFIT_OK && rule != OOM_MAY_BE_SILENT && !excused)
                fail_msg("%s: allocation %zu failed, and nothing was said", name, n);
            if (status != NERFIT_OK && status != NERFIT_NO_MEMORY && !excused)
                fail_msg("%s: allocation %zu failed: status %d, %s", name, n, status, err.text);
            if (status != NERFIT_OK && !err.text[0])
                fail_msg("%s: allocation %zu failed: no message", name, n);
            bool much = oom.bytes >= 64; /* less may be the room that nothing needs */
            if (status == NERFIT_NO_MEMORY && much && !oom.failed_in_jansson &&
                !strstr(err.text, "(asked for "))
                fail_msg("%s: allocation %zu, of %zu bytes, failed: \"%s\"", name, n, oom.bytes,
                         err.text);
        }
    }
    return n_allocations;
}

#endif
