/* JSON as Python's json module writes and reads it, beyond what the standard and jansson allow: NaN,
 * Infinity and -Infinity, and numbers that no 64 bits hold (transformers writes 10^30 for "no
 * limit"). A text is mended where it has such values, and every place in the mended text can be told
 * as one in the original. */
#ifndef NF_BASE_JSON_MEND_H
#define NF_BASE_JSON_MEND_H

#include <stdbool.h>
#include <stddef.h>

typedef struct nf_json_edit {
    size_t old_end, new_end; /* bytes at which the original and the mended text go on alike */
} nf_json_edit;

typedef struct nf_json_mended {
    char *text;
    size_t length;
    nf_json_edit *edits; /* rising */
    size_t n_edits;
} nf_json_mended;

/* Fills `out`: integers beyond 64 bits become reals, and what is not finite (a real of 10^400, too)
 * becomes null, or, with `as_text`, the text "NaN", "Infinity" or "-Infinity", which no reader takes
 * for a number. False if memory is missing; without anything to mend, n_edits is 0. */
bool nf_json_mend(nf_json_mended *out, const char *text, size_t length, bool as_text);
/* The byte of the original that byte `at` of the mended text stands for. */
size_t nf_json_mended_place(const nf_json_mended *mended, size_t at);
void nf_json_mended_free(nf_json_mended *mended);

#endif
