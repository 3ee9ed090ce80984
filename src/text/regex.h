/* Regular expressions as the patterns of tokenizer.json use them. `tokenizers` gives them to
 * Oniguruma; other libraries read some of them otherwise (white space, \p{...} of another Unicode
 * version, what (?i:...) takes for the same letter). So there is a small matcher here that knows
 * the constructs such patterns are made of, with Oniguruma's meaning and the package's own tables;
 * every other construct is an error when the tokenizer is loaded, never a silent difference.
 *
 * Known are: literals and escapes (\n \r \t \f \v \a \e \xHH \x{H} \uHHHH), `.`, classes with
 * ranges and negation, \s \d \w \S \D \W, \p{..} and \P{..} of general categories and scripts,
 * groups (also named; (?:..), (?>..)), (?i:..) over ASCII, alternatives, the quantifiers ? * + {n}
 * {n,} {n,m}
 * {,m}, lazy and possessive ones, look-ahead and look-behind, ^ $ \A \z \Z \b \B. */
#ifndef NF_TEXT_REGEX_H
#define NF_TEXT_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* Immutable after compiling; shared by threads. */
typedef struct nf_regex nf_regex;

/* Compiles a pattern (valid UTF-8, NUL-terminated) into the arena. `file` and `what`
 * ("pre-tokenizer Split") are for messages. */
nerfit_status nf_regex_compile(nf_regex **out, const char *pattern, nf_arena *arena,
                               const char *file, const char *what, nerfit_error *err);

/* A thread's memory for matching: zero-initialise, reuse, free at the end. */
typedef struct nf_regex_scratch {
    struct nf_regex_entry *stack;
    size_t capacity;
} nf_regex_scratch;
void nf_regex_scratch_free(nf_regex_scratch *scratch);

/* All matches in a text of valid UTF-8, one after another, as `find_iter` of the crate onig finds
 * them: leftmost first; an empty match right behind the last one does not count. Fill the first
 * four, zero the rest; the text's ends are what ^, $ and look-around see. */
typedef struct nf_regex_search {
    const nf_regex *regex;
    nf_regex_scratch *scratch;
    const char *text;
    size_t length;
    size_t at, last_end, work;
    bool matched;
} nf_regex_search;

typedef enum nf_regex_result {
    NF_REGEX_END,
    NF_REGEX_FOUND,
    NF_REGEX_NO_MEMORY,
    NF_REGEX_TOO_HARD /* a match took more than ten million steps back, or all together more than ten
                       * million and a hundred a byte of the text */
} nf_regex_result;

/* The next match as bytes start .. end of the text. */
nf_regex_result nf_regex_next(nf_regex_search *search, size_t *start, size_t *end);

#endif
