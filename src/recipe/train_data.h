/* What goes into a training run beside its options, and what comes out of it. */
#ifndef NF_RECIPE_TRAIN_DATA_H
#define NF_RECIPE_TRAIN_DATA_H

#include "recipe/embeddings.h"
#include "recipe/options.h"
#include "train/stage.h"

typedef struct nf_train_result {
    char *model_folder;    /* malloc'ed: output_dir/best */
    json_t *report;        /* of the test data, or the validation data; NULL without either */
    char *report_text;     /* malloc'ed: the same as a table; NULL without either */
    const char *report_of; /* "test", "validation" */
    double seconds;
    char *page; /* malloc'ed: output_dir/report.html */
} nf_train_result;

/* What a run needs from outside, where there is a network; see api_net.h. */
typedef struct nf_train_services {
    /* The folder of a model by its name. sentence: it may be a sentence encoder. *base: the folder
     * of an adapter's base model; NULL: where the adapter says. Both are in `arena`. */
    nerfit_status (*find_model)(void *user, nf_arena *arena, const char *name, bool sentence,
                                const char **folder, const char **base, nerfit_error *err);
    /* Descriptions of all labels of the corpora [count; some NULL], written by the language model
     * and kept in the file, which may have some, or all, already. May be NULL. */
    nerfit_status (*describe)(void *user, const char *llm, const nf_corpus *const *corpora,
                              size_t count, uint64_t seed, const char *file, nf_descriptions *out,
                              nerfit_error *err);
    void *user;
} nf_train_services;

/* What is in memory already, in the place of the options' files; each may be NULL. */
typedef struct nf_train_data {
    const nf_corpus *train, *validation, *test;
    const nf_embeddings *embeddings; /* one of these two, for ent2emb */
    const char *sentence_encoder;    /* the folder of what embedded them; NULL: unknown */
    const nf_descriptions *descriptions;
    const struct nf_pretrained *pretrained; /* what a run found for this model_name; not freed */
    const nf_train_services
        *services; /* NULL: models are folders, and there is no language model */
    nf_comm *
        comm; /* the ranks that train; rank 0 writes, and does what follows the stages. NULL: one */
} nf_train_data;

/* nf_train_run, for those that train within a run (review.h). */
typedef nerfit_status (*nf_train_function)(const nf_train_options *options,
                                           const nf_train_data *data, const nf_log *log,
                                           nf_stage_observer observer, void *user,
                                           nf_train_result *result, nerfit_error *err);

void nf_train_result_free(nf_train_result *result);

#endif
