/* Finding words in texts, whatever their case. */
#ifndef NF_SERVE_PROJECT_SEARCH_H
#define NF_SERVE_PROJECT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is looked for: [count] code points in small letters. */
typedef struct nf_search {
    int32_t *points;
    size_t count;
} nf_search;

/* False: out of memory. */
bool nf_search_begin(nf_search *search, const char *words, size_t size);
void nf_search_end(nf_search *search);
/* Whether the text has these words; no words are in every text. */
bool nf_search_matches(const nf_search *search, const char *text, size_t size);

#endif
