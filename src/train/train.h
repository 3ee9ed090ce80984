/* A whole training run: data, both stages, the model to use, the records. The folder:
 *
 *   stage1/              what stage 1 learned: encoder or adapter, and its checkpoints
 *   stage2/checkpoint-N/ see checkpoint.h
 *   best/                the model to use: an ordinary token-classification folder
 *   adapter/             with peft_lora: the same as an adapter in PEFT's format
 *   training_args.json   every option
 *   trainer_state.json   the log history of both stages
 *   metrics.jsonl        the same, a line as it happens
 *   report.html          options, curves, scores, the mistakes in their texts; one file
 *   report.json          what it shows
 *   best/README.md       model card
 *   best/nerfit.json     what is nerfit's own of the model, such as its scores' calibration */
#ifndef NF_TRAIN_TRAIN_H
#define NF_TRAIN_TRAIN_H

#include "train/embeddings.h"
#include "train/options.h"
#include "train/stage.h"

typedef struct nf_train_result {
    char *model_folder;    /* malloc'ed: output_dir/best */
    json_t *report;        /* of the test data, or the validation data; NULL without either */
    char *report_text;     /* malloc'ed: the same as a table; NULL without either */
    const char *report_of; /* "test", "validation" */
    double seconds;
    char *page;            /* malloc'ed: output_dir/report.html */
} nf_train_result;

/* What is in memory already, in the place of the options' files; each may be NULL. */
typedef struct nf_train_data {
    const nf_corpus *train, *validation, *test;
    const nf_embeddings *embeddings; /* one of these two, for ent2emb */
    const nf_descriptions *descriptions;
} nf_train_data;

/* `data` may be NULL. */
nerfit_status nf_train_run(const nf_train_options *options, const nf_train_data *data,
                           const nf_log *log, nf_stage_observer observer, void *user,
                           nf_train_result *result, nerfit_error *err);
void nf_train_result_free(nf_train_result *result);

/* The backend that the options ask for. */
nerfit_status nf_train_backend(const nf_train_options *options, nf_backend **out,
                               nerfit_error *err);

#endif
