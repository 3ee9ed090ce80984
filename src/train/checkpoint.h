/* Checkpoints: everything a run needs to go on as if it had never stopped, bit by bit, beside the
 * model's files. A checkpoint's folder is written under another name, synced and renamed, so that a
 * killed process leaves whole checkpoints only.
 *
 *   stageN/checkpoint-STEP/
 *     model.safetensors, config.json, tokenizer files   (or the adapter's, in PEFT's format)
 *     training_state.safetensors   every trained parameter's value, and Adam's two moments
 *     trainer_state.json           step, best metric, log history, and what the run was */
#ifndef NF_TRAIN_CHECKPOINT_H
#define NF_TRAIN_CHECKPOINT_H

#include "train/stage_state.h"

/* Writes stage->folder/checkpoint-STEP, then removes old ones past save_total_limit (never the best
 * one). *path (in the arena) is the folder. */
nerfit_status nf_checkpoint_save(nf_stage *stage, nf_arena *arena, const char **path,
                                 nerfit_error *err);
/* Loads values, moments and state. An error if the checkpoint belongs to another kind of run. */
nerfit_status nf_checkpoint_resume(nf_stage *stage, const char *folder, nerfit_error *err);
/* What transformers' trainer_state.json has of a stage: best_metric, best_model_checkpoint,
 * global_step, max_steps, epoch. A new object; NULL when out of memory. */
json_t *nf_checkpoint_summary(const nf_stage *stage);
/* Loads only the values. */
nerfit_status nf_checkpoint_load_values(nf_model *model, const char *folder, nerfit_error *err);
/* The values of all trained parameters, as nf_checkpoint_load_values reads them. */
nerfit_status nf_checkpoint_save_values(const nf_model *model, const char *folder, bool moments,
                                        nerfit_error *err);
/* The newest whole checkpoint of a folder, or NULL. */
char *nf_checkpoint_newest(nf_arena *arena, const char *folder);
/* "folder/checkpoint-step" */
char *nf_checkpoint_path(nf_arena *arena, const char *folder, int64_t step);

#endif
