/* Windows over long texts: a model takes a limited number of tokens, and nothing is cut off. A text
 * that does not fit is covered by several windows that overlap; every token belongs to the one
 * window in which it stands farthest from an edge, and is read from there. */
#ifndef NF_TEXT_WINDOWS_H
#define NF_TEXT_WINDOWS_H

#include "text/tokenizer.h"

typedef struct nf_window {
    size_t start, end;         /* tokens of the text, special ones not counted */
    size_t own_start, own_end; /* those that belong to this window */
} nf_window;

/* Covers `length` tokens (without special ones) by windows of at most `capacity`, each sharing
 * `overlap` tokens with the next. `starts_word` [length] (may be NULL): a window begins and owns
 * from the start of a word where there is one. One window if it fits. *out (freed by the caller)
 * holds *count windows; a text without tokens has one empty window. */
nerfit_status nf_windows_plan(nf_window **out, size_t *count, size_t length, size_t capacity,
                              size_t overlap, const bool *starts_word, nerfit_error *err);

/* The ids of a window with the text's special tokens around it: `encoding` is the whole text's,
 * `before` and `after` its special tokens. ids [before + window + after]. */
void nf_window_ids(const nf_encoding *encoding, const nf_window *window, size_t before,
                   size_t after, int32_t *ids);

#endif
