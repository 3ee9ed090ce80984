/* What is wrong with the entities of a text: every gold and every predicted entity stands in one
 * match, alone or with one of the other side.
 *
 * Pairs are made in this order, within each the larger overlap first, then the earlier entities:
 *   the same place and type          correct
 *   the same place                   wrong type
 *   overlap, the same type           wrong boundary
 *   overlap                          wrong type and boundary
 * What is left is missed (gold) or spurious (predicted). */
#ifndef NF_EVAL_MISTAKES_H
#define NF_EVAL_MISTAKES_H

#include "base/error.h"
#include "labels/entity.h"

/* As nerfit.h's nerfit_mistake_kind, but for NF_CORRECT. */
typedef enum nf_match_kind {
    NF_MISSED,
    NF_SPURIOUS,
    NF_WRONG_BOUNDARY,
    NF_WRONG_TYPE,
    NF_WRONG_TYPE_AND_BOUNDARY,
    NF_CORRECT,
    NF_MATCH_KINDS,
} nf_match_kind;

typedef struct nf_match {
    nf_match_kind kind;
    const nf_entity *gold, *predicted; /* NULL: none */
} nf_match;

/* "missed", "wrong boundary", ... */
const char *nf_match_name(nf_match_kind kind);
/* matches [n_gold + n_predicted] in the order of the text; *count: how many. */
nerfit_status nf_entities_match(const nf_entity *gold, size_t n_gold, const nf_entity *predicted,
                                size_t n_predicted, nf_match *matches, size_t *count,
                                nerfit_error *err);

/* Which types were taken for which: counts of matches by gold and predicted type. The last row
 * holds what is spurious, the last column what is missed. Zero-initialise. */
typedef struct nf_confusion {
    size_t n_types, capacity; /* types: 0 to the largest that was met */
    size_t *counts;           /* [capacity + 1, capacity + 1]; see nf_confusion_at */
} nf_confusion;

nerfit_status nf_confusion_add(nf_confusion *confusion, const nf_match *match, nerfit_error *err);
/* n_types stands for none. */
size_t nf_confusion_at(const nf_confusion *confusion, size_t gold, size_t predicted);
void nf_confusion_free(nf_confusion *confusion);

#endif
