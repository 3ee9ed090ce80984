/* Words of a text, for formats and scores that count words.
 *
 * A run of letters, digits and marks (Unicode categories L, N, M) and "_" is a word. Every other
 * character that is no white space is a word by itself, and so is every character of the scripts
 * that are written without spaces (base/script.h): Han, Hiragana, Katakana, Thai, Lao, Khmer and
 * Myanmar. A character that belongs to the one
 * before it (an extended grapheme cluster of UAX 29: accents, joiners, variation selectors, skin
 * tones, flags) stays with it. */
#ifndef NF_DATA_WORDS_H
#define NF_DATA_WORDS_H

#include "data/document.h"

/* Words of valid UTF-8, in order. Every character that is no white space lies in exactly one, and
 * no white space does. *words is freed by the caller. */
nerfit_status nf_words_of_text(nf_word **words, size_t *count, const char *text, size_t size,
                               nerfit_error *err);

/* The document's own words if it has any, with what lies between them divided as above; else those
 * of its text. A word is divided where a span begins or ends inside it: every span begins at a
 * word's start and ends at a word's end. *words is freed by the caller. */
nerfit_status nf_words_split(nf_word **words, size_t *count, const nf_document *document,
                             nerfit_error *err);

#endif
