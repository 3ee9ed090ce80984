/* Windows over the words of a long text, for models that take a limited number of words and a limited
 * number of sub-words, whichever is reached first. Windows overlap; a span of words is read from the
 * window in which it stands farthest from a cut (the text's own ends are none), so that every span
 * that fits a window is read exactly once. */
#ifndef NF_TEXT_WORD_WINDOWS_H
#define NF_TEXT_WORD_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct nf_word_window {
    size_t start, end; /* words */
} nf_word_window;

typedef struct nf_word_limits {
    size_t words, tokens; /* of a window */
    size_t overlap;       /* words that a window shares with the next, at most half of it */
} nf_word_limits;

/* Covers words whose sub-words are first_tokens[w] .. first_tokens[w + 1] - 1 [n_words + 1]. A word
 * of more sub-words than a window takes has a window's room (its first ones count). *out (freed by
 * the caller) holds *count windows; a text without words has none. */
nerfit_status nf_word_windows_plan(nf_word_window **out, size_t *count, const size_t *first_tokens,
                                   size_t n_words, const nf_word_limits *limits, nerfit_error *err);
/* Whether the words first .. last are read from the window with that index. */
bool nf_word_window_owns(const nf_word_window *windows, size_t count, size_t index, size_t first,
                         size_t last);

#endif
