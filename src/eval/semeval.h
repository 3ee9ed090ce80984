/* The measures of SemEval-2013 task 9.1 (Segura-Bedmar et al.), equal to nervaluate 1.2.1: what
 * counts as found when a predicted entity only overlaps a gold one, or has another type.
 *
 *   strict   type and boundaries must be right
 *   exact    the boundaries must be right, whatever the type
 *   partial  any overlap counts half, whatever the type; right boundaries count whole
 *   type     any overlap counts if the type is right
 *
 * Predicted entities are taken in their order; each is matched with one gold entity that is still
 * free. Overlap means at least 1 % of the gold entity's length (nervaluate's default). The scores
 * of a type compare the entities of that type alone, so an entity of the wrong type is missed for
 * one type and spurious for another. */
#ifndef NF_EVAL_SEMEVAL_H
#define NF_EVAL_SEMEVAL_H

#include "base/error.h"
#include "labels/entity.h"

typedef enum nf_semeval_measure {
    NF_SEMEVAL_STRICT,
    NF_SEMEVAL_EXACT,
    NF_SEMEVAL_PARTIAL,
    NF_SEMEVAL_TYPE,
    NF_SEMEVAL_MEASURES,
} nf_semeval_measure;

typedef struct nf_semeval_score {
    size_t correct, incorrect, partial, missed, spurious;
    size_t possible; /* gold entities: correct + incorrect + partial + missed */
    size_t actual;   /* predicted ones: correct + incorrect + partial + spurious */
    double precision, recall, f1;
} nf_semeval_score;

typedef struct nf_semeval_type {
    nf_semeval_score scores[NF_SEMEVAL_MEASURES];
} nf_semeval_type;

/* Zero-initialise. All numbers are up to date after every call. */
typedef struct nf_semeval {
    nf_semeval_score overall[NF_SEMEVAL_MEASURES];
    nf_semeval_type *types; /* [n_types], 0 to the largest that was met */
    size_t n_types, capacity;
} nf_semeval;

/* "strict", "exact", "partial", "type" */
const char *nf_semeval_name(nf_semeval_measure measure);
/* Adds the entities of one text. After an error the text does not count. */
nerfit_status nf_semeval_add(nf_semeval *semeval, const nf_entity *gold, size_t n_gold,
                             const nf_entity *predicted, size_t n_predicted, nerfit_error *err);
void nf_semeval_free(nf_semeval *semeval);

#endif
