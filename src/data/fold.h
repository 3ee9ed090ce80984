/* Texts as people take them for the same: for lists of terms, and for answers of language models that
 * are looked up in the text they are about.
 *
 * A folded text is in compatibility form and decomposed (NFKD), without case (Unicode's full case
 * folding) and without invisible characters, with one kind of quote, apostrophe and dash, and single
 * blanks for any white space. Every folded character knows which characters of the text it comes
 * from, so that what is found in it is a place of the text. */
#ifndef NF_DATA_FOLD_H
#define NF_DATA_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

typedef struct nf_folded {
    uint32_t *points;    /* [count] */
    uint32_t *from, *to; /* [count] code points of the text that each stands for, end exclusive */
    size_t count;
} nf_folded;

/* Folds valid UTF-8, into the arena. */
nerfit_status nf_fold(nf_folded *out, nf_arena *arena, const char *text, size_t size,
                      nerfit_error *err);
/* The same without blanks at both ends. */
nerfit_status nf_fold_trimmed(nf_folded *out, nf_arena *arena, const char *text, size_t size,
                              nerfit_error *err);
/* Whether a place of the folded text, points start .. end-1, is one of the text: no part of what one
 * character of it became. */
bool nf_folded_is_place(const nf_folded *folded, size_t start, size_t end);
/* The first place at `begin` or behind where `what` (not empty) stands, as a point; SIZE_MAX: none. */
size_t nf_folded_find(const nf_folded *in, const nf_folded *what, size_t begin);

/* Where words of a text begin and end (data/words.h): edges [code points + 1], in the arena. */
enum { NF_EDGE_START = 1, NF_EDGE_END = 2 };
nerfit_status nf_word_edges(uint8_t **edges, nf_arena *arena, const char *text, size_t size,
                            nerfit_error *err);

#endif
