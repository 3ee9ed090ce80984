#include "train/stage_state.h"

#include <math.h>
#include <stdlib.h>

size_t nf_stage_batch_size(const nf_stage *stage) {
    return stage->options.train_batch_size * nf_comm_size(stage->comm);
}

void nf_stage_plan(nf_stage *stage) {
    const nf_stage_options *o = &stage->options;
    size_t size = nf_stage_batch_size(stage);
    size_t batches = (stage->task->train->count + size - 1) / size;
    stage->steps_per_epoch = (int64_t)((batches + o->accumulation - 1) / o->accumulation);
    if (stage->steps_per_epoch < 1) stage->steps_per_epoch = 1;
    stage->total_steps = o->max_steps > 0
                             ? o->max_steps
                             : (int64_t)ceil(o->num_train_epochs * (double)stage->steps_per_epoch);
}

double nf_stage_epoch(const nf_stage *stage, int64_t step) {
    return (double)step / (double)stage->steps_per_epoch;
}

void nf_stage_free(nf_stage *stage) {
    json_decref(stage->state.log_history);
    stage->state.log_history = NULL;
    free(stage->state.best_folder);
    stage->state.best_folder = NULL;
}
