/* A whole training run: data, both stages, the model to use, the records. The folder:
 *
 *   stage1/              what stage 1 learned: encoder or adapter, and its checkpoints
 *   stage2/checkpoint-N/ see checkpoint.h
 *   stage2/finished.json what best/ was made of, for a run that resumes: see run_finished.c
 *   best/                the model to use: an ordinary token-classification folder
 *   adapter/             with peft_lora: the same as an adapter in PEFT's format
 *   training_args.json   every option
 *   trainer_state.json   the log history of both stages
 *   metrics.jsonl        the same, a line as it happens
 *   descriptions.yaml    with llm: what it wrote; edit it, and the next run takes it as it is
 *   report.html          options, curves, scores, the mistakes in their texts; one file
 *   report.json          what it shows
 *   best/README.md       model card
 *   best/nerfit.json     what is nerfit's own of the model: its decoder, its scores' calibration
 *
 * overwrite_output_dir: the run begins by removing what an earlier one wrote, but for best/, which
 * stays until the new model takes its place, the base/ of an earlier pre-training, over which that
 * best/ stands, and descriptions.yaml. */
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
    const nf_train_services
        *services; /* NULL: models are folders, and there is no language model */
} nf_train_data;

/* `data` may be NULL. */
nerfit_status nf_train_run(const nf_train_options *options, const nf_train_data *data,
                           const nf_log *log, nf_stage_observer observer, void *user,
                           nf_train_result *result, nerfit_error *err);
/* Pre-training (pretraining.h): stage 1 alone, over several annotated files. The folder's best/
 * holds the encoder, or with peft_lora an adapter of it, and description_head.safetensors; there is
 * no report. */
nerfit_status nf_pretrain_run(const nf_train_options *options, const nf_train_data *data,
                              const nf_log *log, nf_stage_observer observer, void *user,
                              nf_train_result *result, nerfit_error *err);
void nf_train_result_free(nf_train_result *result);

/* The backend that the options ask for. */
nerfit_status nf_train_backend(const nf_train_options *options, nf_backend **out,
                               nerfit_error *err);

#endif
