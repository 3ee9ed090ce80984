/* Finding words in texts, whatever their case. */
#ifndef NF_SERVE_PROJECT_SEARCH_H
#define NF_SERVE_PROJECT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Appends the text [size] with small letters in the place of capitals: of ASCII, Latin-1, Latin
 * Extended-A, Greek and Cyrillic. */
void nf_search_fold(nf_str *out, const char *text, size_t size);
/* Whether the text has what nf_search_fold made of the words that are looked for. */
bool nf_search_matches(const char *text, size_t size, const nf_str *folded);

#endif
