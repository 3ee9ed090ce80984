/* What nerfit_config is inside, and how a run's reports become events; see nerfit.h. */
#ifndef NF_API_TRAIN_H
#define NF_API_TRAIN_H

#include "api_corpus.h"
#include "recipe/train.h"

struct nerfit_config {
    nf_train_options options;
    const nerfit_corpus *corpora[3]; /* train, validation, test; NULL: the options' file */
    nf_embeddings embeddings;        /* count 0: none */
    nf_descriptions descriptions;    /* count 0: none */
    nf_comm *comm;                   /* the job that was joined; NULL: none */
};

/* What the config has in memory. */
nf_train_data nf_config_data(const nerfit_config *config);
/* The event's JSON, if it has any, is malloc'ed: free(event.json). */
nerfit_event nf_event_of(const nf_stage_report *report);

#endif
