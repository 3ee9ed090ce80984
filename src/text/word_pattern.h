/* Words as Python's regular expression \w+(?:[-_]\w+)*|\S finds them: runs of letters, digits and
 * underscores, joined by single hyphens, and every other character that is not white space by
 * itself. GLiNER's models were trained on such words (its WhitespaceTokenSplitter).
 *
 * \w and \s are those of Python's `re` over str: \w is str.isalnum() or the underscore, which is
 * the categories L* and N*, without combining marks (so that Indic words fall apart at vowel
 * signs); \s is str.isspace(). Code points that a Python release does not know yet are classed as
 * later releases class them. */
#ifndef NF_TEXT_WORD_PATTERN_H
#define NF_TEXT_WORD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct nf_pattern_word {
    uint32_t start, end; /* code points, end exclusive */
    size_t byte_start, byte_end;
} nf_pattern_word;

/* The words of one text, reused from text to text. Zero-initialise. */
typedef struct nf_pattern_words {
    nf_pattern_word *items;
    size_t count, capacity;
} nf_pattern_words;

/* Fills `words` with those of valid UTF-8 (an error otherwise). `characters`, which Python's expression does
 * not know: every character of a script without spaces (base/script.h) is a word of its own, with the marks
 * and joiners behind it (nf_belongs_to_previous). */
nerfit_status nf_word_pattern_split(nf_pattern_words *words, const char *text, size_t size,
                                    bool characters, nerfit_error *err);
void nf_pattern_words_free(nf_pattern_words *words);

/* Python's \w; its \s is nf_is_space (base/utf8.h). */
bool nf_word_pattern_is_word(uint32_t c);

#endif
