#include "text/windows.h"

#include <stdlib.h>

#include "base/assert.h"

/* The nearest word start at or before `at`, not below `least`; `at` itself if there is none. */
static size_t word_start(const bool *starts_word, size_t at, size_t least) {
    if (!starts_word) return at;
    for (size_t i = at; i > least; i--)
        if (starts_word[i]) return i;
    return at;
}

/* Every token belongs to one window, which holds it, and no window is too long. */
static void assert_partition(const nf_window *windows, size_t n, size_t length, size_t capacity) {
    for (size_t i = 0; NF_ASSERTING && i < n; i++) {
        const nf_window *w = &windows[i];
        nf_assert_within(w->end - w->start, capacity);
        nf_assert_equal(w->own_start, i ? windows[i - 1].own_end : 0);
        nf_assert_within(w->start, w->own_start);
        nf_assert_within(w->own_start, w->own_end);
        nf_assert_within(w->own_end, w->end);
    }
    nf_assert_equal(windows[n - 1].own_end, length);
}

nerfit_status nf_windows_plan(nf_window **out, size_t *count, size_t length, size_t capacity,
                              size_t overlap, const bool *starts_word, nerfit_error *err) {
    *out = NULL;
    if (capacity == 0)
        return nf_fail(err, NERFIT_ARGUMENT, "the maximum length leaves no room for text");
    if (overlap > capacity / 2) overlap = capacity / 2;
    size_t stride = capacity - overlap;
    size_t most =
        length <= capacity ? 1 : length / (stride - stride / 4 ? stride - stride / 4 : 1) + 2;
    nf_window *windows = calloc(most, sizeof *windows);
    if (!windows) return nf_no_memory(err, most * sizeof *windows);
    size_t n = 0, start = 0;
    for (;;) {
        size_t end = length - start > capacity ? start + capacity : length;
        windows[n] = (nf_window){.start = start, .end = end};
        /* what it shares with the one before is divided in the middle */
        if (n > 0) {
            size_t middle = start + (windows[n - 1].end - start) / 2;
            middle = word_start(starts_word, middle, start);
            windows[n - 1].own_end = middle;
            windows[n].own_start = middle;
        }
        windows[n].own_end = end;
        n++;
        if (end == length) break;
        /* a word start within the last quarter before the stride's end, so that it moves on */
        start = word_start(starts_word, start + stride, start + stride - stride / 4);
    }
    assert_partition(windows, n, length, capacity);
    *out = windows;
    *count = n;
    return NERFIT_OK;
}

void nf_window_ids(const nf_encoding *encoding, const nf_window *window, size_t before,
                   size_t after, int32_t *ids) {
    size_t size = window->end - window->start;
    for (size_t i = 0; i < before; i++) ids[i] = encoding->ids[i];
    for (size_t i = 0; i < size; i++) ids[before + i] = encoding->ids[before + window->start + i];
    for (size_t i = 0; i < after; i++)
        ids[before + size + i] = encoding->ids[encoding->length - after + i];
}
