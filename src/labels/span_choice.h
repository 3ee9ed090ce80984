/* Which of many scored spans become entities: greedily, as GLiNER's decoder does (gliner 0.2.29:
 * BaseDecoder.greedy_search). The most probable span is taken first; a further one is taken unless
 * it conflicts with one taken before:
 *
 *   flat     they share a word
 *   nested   they overlap, and neither lies inside the other
 *
 * Two labels for the same span conflict, unless several labels are allowed. */
#ifndef NF_LABELS_SPAN_CHOICE_H
#define NF_LABELS_SPAN_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "labels/entity.h"

typedef struct nf_span_rules {
    bool nested;      /* spans may lie inside others */
    bool multi_label; /* a span may have several labels */
} nf_span_rules;

/* Chooses among spans [*count] of a text of n_words, with a label as their type; those that are chosen
 * come first afterwards, by their start and then their score, and *count is their number. Of equal scores the earlier span in
 * the list counts as the higher one. */
nerfit_status nf_spans_choose(nf_entity *spans, size_t *count, size_t n_words,
                              const nf_span_rules *rules, nerfit_error *err);

#endif
