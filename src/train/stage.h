/* One stage of training: the loop over batches, with its schedule, evaluations, log, checkpoints
 * and early stopping, as transformers' Trainer orders them. */
#ifndef NF_TRAIN_STAGE_H
#define NF_TRAIN_STAGE_H

#include "train/stage_state.h"

/* Trains from state.step (0, or a resumed one) to the end. The network's training must have been
 * started and prepared. At the end the best checkpoint's values are loaded if asked for. */
nerfit_status nf_stage_run(nf_stage *stage, nerfit_error *err);
/* Loss and metrics over the validation examples, as a new object. */
nerfit_status nf_stage_evaluate(nf_stage *stage, json_t **metrics, nerfit_error *err);

#endif
