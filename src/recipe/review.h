/* What a finished run is worth. Its model is loaded from its folder, as a user would load it; the
 * entities' scores are calibrated, and its mistakes on the test or validation texts are collected.
 */
#ifndef NF_RECIPE_REVIEW_H
#define NF_RECIPE_REVIEW_H

#include "eval/analysis.h"
#include "recipe/options.h"
#include "recipe/train_data.h"

/* A model in its folder, ready to tag. */
typedef struct nf_loaded {
    nf_model *model;
    nf_tagger *tagger;
    nf_rules rules;
} nf_loaded;
nerfit_status nf_loaded_open(nf_loaded *loaded, const char *folder, nf_backend *be,
                             nf_precision precision, const nf_log *log, nerfit_error *err);
void nf_loaded_close(nf_loaded *loaded);

typedef struct nf_review {
    const nf_train_options *options;
    const char *folder;         /* the model's */
    const char *adapter_folder; /* receives the calibration too; NULL: there is none */
    nf_backend *be;             /* borrowed */
    nf_precision precision;     /* in which the models compute */
    const nf_corpus *train, *validation,
        *shown;                   /* shown: whose mistakes are collected; may be NULL */
    const char *encoder;          /* the folder that training began with */
    const char *sentence_encoder; /* the folder of what made the embeddings; NULL: unknown */
    const struct nf_pretrained *pretrained; /* what was found for `encoder` */
    bool is_short; /* training is as short as the recipe nerfit's own choice for few texts */
    const nf_train_services *services;
    nf_train_function train_with;    /* nf_train_run, for the trainings of a cross-validation */
    const nf_embeddings *embeddings; /* of the run; NULL: none */
    const nf_log *log;
    nf_stage_observer observer; /* of the trainings of a cross-validation; may be NULL */
    void *user;
    /* the results */
    nf_calibration calibration;
    const char *calibrated_on;        /* "validation", "cross-validation"; NULL: nothing */
    double error_before, error_after; /* expected calibration error on those entities */
    nf_analysis analysis;             /* of `shown` */
} nf_review;

/* Whether the calibration that is asked for can be had. */
nerfit_status nf_review_check(const nf_train_options *options, const nf_corpus *train,
                              const nf_corpus *validation, nerfit_error *err);
/* Fills the results and writes the calibration to the folders. Does nothing if there is nothing to
 * calibrate with and nothing to show. */
nerfit_status nf_review_run(nf_review *review, nerfit_error *err);
void nf_review_free(nf_review *review);

#endif
