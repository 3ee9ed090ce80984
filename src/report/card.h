/* The model card: README.md of the folder that training leaves. */
#ifndef NF_REPORT_CARD_H
#define NF_REPORT_CARD_H

#include <jansson.h>

#include "data/labels.h"

typedef struct nf_model_card {
    const char *trained; /* "in full", "with LoRA adapters" */
    const char *recipe;
    const char *units; /* what the scores count: "words", "sub-words" */
    int64_t steps[2];  /* of the stages, at most */
    double rates[2];
    const nf_label_set *labels;
    const json_t *report;  /* NULL: no scores */
    const char *report_of; /* "test", "validation" */
} nf_model_card;

nerfit_status nf_model_card_write(const nf_model_card *card, const char *folder, nerfit_error *err);

#endif
