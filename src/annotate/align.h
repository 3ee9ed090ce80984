/* Where in a text the answers of a language model stand. Models are asked for substrings in their order,
 * never for offsets, which they count badly; nothing is invented here: what does not stand in the text
 * is dropped and counted.
 *
 * The ladder, each step only where the one before finds nothing:
 *   1. the answer as it stands, as whole words
 *   2. but for case, white space, quotes, dashes and Unicode forms (data/fold.h)
 *   3. without articles, a possessive and punctuation at its ends
 *   4. nearly: a run of words, at most two more or fewer than the answer has, that shares its characters
 *      in order: at least 3/4 of the answer's, at least 3/4 of both counted together, and a whole word
 *      or all but one in six characters; only the one best place
 *   5. dropped
 * Words end where scripts without blanks change character (data/words.h).
 *
 * Among several places of an answer the one is taken with which most answers stand in their order (the
 * longest increasing chain of places); an answer that is out of order gets its first place that no
 * equal answer has. */
#ifndef NF_ANNOTATE_ALIGN_H
#define NF_ANNOTATE_ALIGN_H

#include "annotate/opinion.h"
#include "data/fold.h"

/* A text made ready once for all answers about it. */
typedef struct nf_align_text {
    const char *text;
    size_t size;
    nf_folded folded;
    uint8_t *edges;   /* [code points + 1] */
    uint32_t *bytes;  /* [code points + 1] where each begins in `text` */
    uint32_t *starts; /* [n_words] points of the folded text at which words begin */
    uint32_t *ends;   /* [n_words] and behind which they end */
    size_t n_words;
} nf_align_text;
nerfit_status nf_align_text_make(nf_align_text *out, const char *text, size_t size, nf_arena *arena,
                                 nerfit_error *err);

/* An answer, and where it is. */
typedef struct nf_aligned {
    const char *text;
    int32_t label;
    nf_annotate_count how; /* NF_COUNT_EXACT to NF_COUNT_FUZZY, or why it is dropped */
    uint32_t start, end;   /* code points, if it is not */
} nf_aligned;

typedef struct nf_align_options {
    bool all_occurrences; /* further places of an answer's words are entities as well */
    bool nested;          /* entities may overlap; else the longer stays */
} nf_align_options;

/* Fills how, start and end of the answers [n], given text and label. `more` [*n_more], in the arena: the
 * further occurrences. */
nerfit_status nf_align(const nf_align_text *text, nf_aligned *answers, size_t n,
                       const nf_align_options *options, nf_aligned **more, size_t *n_more,
                       nf_arena *arena, nerfit_error *err);

#endif
