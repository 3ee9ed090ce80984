/* Words of a text, for formats and scores that count words. */
#ifndef NF_DATA_WORDS_H
#define NF_DATA_WORDS_H

#include "data/document.h"

/* The document's own words if it has any; else: a run of letters, digits and marks (and "_") is a
 * word; a Chinese character, Japanese kana, and every other character that is no white space is a
 * word by itself. A word is divided where a span begins or ends inside it. *words is freed by the
 * caller. */
nerfit_status nf_words_split(nf_word **words, size_t *count, const nf_document *document,
                             nerfit_error *err);

#endif
