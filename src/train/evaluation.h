/* The scores of an evaluation: texts are added batch by batch, the metrics end it, and the next
 * text begins the next one. */
#ifndef NF_TRAIN_EVALUATION_H
#define NF_TRAIN_EVALUATION_H

#include <jansson.h>

#include "eval/score.h"
#include "heads/example.h"

/* Zero-initialise. */
typedef struct nf_evaluation {
    nf_scorer *scorer;       /* of the evaluation that runs, or of the last one */
    const nf_report *report; /* of the last evaluation; NULL while one runs */
} nf_evaluation;

/* What was found in a text; `types`: the names of the entities' types. */
nerfit_status nf_evaluation_add(nf_evaluation *evaluation, const char *const *types,
                                const nf_head_found *found, nerfit_error *err);
/* Ends it, and adds its metrics as nf_task's `metrics` wants them. */
nerfit_status nf_evaluation_metrics(nf_evaluation *evaluation, json_t *metrics, nerfit_error *err);
void nf_evaluation_free(nf_evaluation *evaluation);

#endif
