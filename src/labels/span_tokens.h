/* Which sub-words an annotated span labels: those that share a character with it. A sub-word without
 * characters (the lone "Ġ" of byte-level BPE, an empty range where the next sub-word begins) is
 * labelled as the character behind it is.
 *
 * Ranges are those of nf_subword_ranges (text/word_starts.h), without white space. Training
 * examples, gold labels of evaluations and tests ask here. */
#ifndef NF_LABELS_SPAN_TOKENS_H
#define NF_LABELS_SPAN_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the span span_start .. span_end-1 labels the sub-word start .. end-1. */
static inline bool nf_span_labels_token(uint32_t span_start, uint32_t span_end, uint32_t start,
                                        uint32_t end) {
    return start < span_end && (end > start ? end > span_start : start >= span_start);
}

#endif
