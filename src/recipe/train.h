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
#ifndef NF_RECIPE_TRAIN_H
#define NF_RECIPE_TRAIN_H

#include "recipe/train_data.h"

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
/* The backend that the options ask for. */
nerfit_status nf_train_backend(const nf_train_options *options, nf_backend **out,
                               nerfit_error *err);

#endif
