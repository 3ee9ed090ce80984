#include "text/word_windows.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"

/* The end of a window from `start` on: one word at least. */
static size_t word_window_end(const size_t *first_tokens, size_t n_words,
                              const nf_word_limits *limits, size_t start) {
    size_t end = start, tokens = 0;
    while (end < n_words && end - start < limits->words) {
        tokens += first_tokens[end + 1] - first_tokens[end];
        if (tokens > limits->tokens && end > start) break;
        end++;
    }
    return end;
}

/* Where the window behind one begins: so far back that it still reaches a further word. */
static size_t word_window_next(const size_t *first_tokens, const nf_word_limits *limits,
                               const nf_word_window *window) {
    size_t half = (window->end - window->start) / 2;
    size_t start = window->end - (limits->overlap < half ? limits->overlap : half);
    while (start < window->end &&
           first_tokens[window->end + 1] - first_tokens[start] > limits->tokens)
        start++;
    return start;
}

nerfit_status nf_word_windows_plan(nf_word_window **out, size_t *count, const size_t *first_tokens,
                                   size_t n_words, const nf_word_limits *limits,
                                   nerfit_error *err) {
    size_t capacity = 0, start = 0;
    *count = 0;
    *out = NULL;
    while (start < n_words) {
        size_t end = word_window_end(first_tokens, n_words, limits, start);
        if (!nf_array_reserve(out, &capacity, *count + 1, sizeof **out)) {
            free(*out);
            *out = NULL;
            return nf_no_memory(err, 0);
        }
        (*out)[(*count)++] = (nf_word_window){start, end};
        if (end == n_words) break;
        start = word_window_next(first_tokens, limits, &(*out)[*count - 1]);
    }
    return NERFIT_OK;
}

/* How far a cut is from the words; SIZE_MAX: there is none. False: they do not lie inside. */
static bool word_window_distance(const nf_word_window *windows, size_t count, size_t index,
                                 size_t first, size_t last, size_t *distance) {
    const nf_word_window *w = &windows[index];
    if (first < w->start || last >= w->end) return false;
    size_t before = w->start == 0 ? SIZE_MAX : first - w->start;
    size_t after = w->end == windows[count - 1].end ? SIZE_MAX : w->end - 1 - last;
    *distance = before < after ? before : after;
    return true;
}

bool nf_word_window_owns(const nf_word_window *windows, size_t count, size_t index, size_t first,
                         size_t last) {
    size_t own, other;
    if (!word_window_distance(windows, count, index, first, last, &own)) return false;
    /* windows rise at both ends, so that those that hold the words are neighbours */
    for (size_t i = index; i-- > 0;) {
        if (!word_window_distance(windows, count, i, first, last, &other)) break;
        if (other >= own) return false;
    }
    for (size_t i = index + 1; i < count; i++) {
        if (!word_window_distance(windows, count, i, first, last, &other)) break;
        if (other > own) return false;
    }
    return true;
}
