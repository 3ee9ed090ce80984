/* A model as an annotator: one that was trained, one that takes any labels, GLiNER's. Its scores are
 * those that it predicts with, calibrated if it is. */
#ifndef NF_ANNOTATE_BY_MODEL_H
#define NF_ANNOTATE_BY_MODEL_H

#include "annotate/opinion.h"
#include "infer/tagger.h"

typedef struct nf_model_annotator {
    nf_tagger *tagger;
    nf_tagging_call call;
} nf_model_annotator;

/* `annotate` of nf_annotator; self: nf_model_annotator. Entities of types that the job has not are
 * left out: they were not asked for. */
nerfit_status nf_annotate_by_model(void *self, const nf_corpus *corpus, const nf_job_labels *labels,
                                   nf_opinion *opinions, nf_arena *arena, nerfit_error *err);

#endif
