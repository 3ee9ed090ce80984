/* What a call of nerfit_annotate has open: api_annotate.c begins and ends it, api_annotate_llm.c has what
 * concerns language models. */
#ifndef NF_API_ANNOTATE_H
#define NF_API_ANNOTATE_H

#include "annotate/annotate.h"
#include "annotate/by_llm.h"
#include "annotate/by_model.h"
#include "api_session.h"
#include "data/descriptions.h"

typedef struct nf_annotating {
    nerfit_annotate_options options;
    nf_arena arena;
    nf_log log;
    nf_descriptions given; /* labels */
    nf_lists *lists;
    nerfit_model **models;
    nerfit_session **sessions; /* [n_models] */
    nf_model_annotator *by_model;
    nf_annotator *annotators;
    size_t n_annotators;
    const char **names, **descriptions; /* the job's labels [n_labels] */
    nf_label_texts *further;
    size_t n_labels, capacity;
    nf_llm llm;
    nf_llm_annotator by_llm;
    nerfit_encoder *encoder; /* of sentences; or NULL */
    nf_open_types types;     /* of the language model's own */
} nf_annotating;

/* A model with labels of its own, or one that takes those named (a file, or names; NULL: none). */
nerfit_status nf_model_load_labelled(nerfit_model **model, const char *folder,
                                     const nerfit_model_options *options, const char *labels,
                                     nerfit_error *error);

nf_job_labels nf_annotating_labels(const nf_annotating *a);
/* Opens the language model and its answers, and adds it to the annotators. */
nerfit_status nf_annotating_open_llm(nf_annotating *a, nerfit_error *error);
void nf_annotating_close_llm(nf_annotating *a);
/* Before a job: which examples each text is shown; tells the address and what is left to ask. */
nerfit_status nf_annotating_prepare_llm(nf_annotating *a, const nf_corpus *texts, const char *what,
                                        nerfit_error *error);

/* api_annotate_open.c: types of the language model's own. */
nerfit_status nf_annotating_check_open(const nf_annotating *a, nerfit_error *error);
/* Asks about the texts, and makes labels of the types that come: the job's from then on. */
nerfit_status nf_annotating_find_types(nf_annotating *a, const nf_corpus *texts,
                                       nerfit_error *error);
/* What is written of them. */
nerfit_status nf_annotating_hand_out_types(const nf_annotating *a, json_t *summary,
                                           nerfit_annotate_result *result, nerfit_error *error);

#endif
