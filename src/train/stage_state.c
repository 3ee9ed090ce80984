#include "train/stage_state.h"

#include <math.h>
#include <stdlib.h>

size_t nf_stage_batch_size(const nf_stage *stage) {
    return stage->options.train_batch_size * nf_comm_size(stage->comm);
}

int64_t nf_stage_steps_per_epoch(size_t n, size_t batch_size, size_t accumulation) {
    size_t batches = (n + batch_size - 1) / batch_size;
    size_t steps = (batches + accumulation - 1) / accumulation;
    return steps ? (int64_t)steps : 1;
}

int64_t nf_stage_steps(int64_t steps_per_epoch, double epochs) {
    return (int64_t)ceil(epochs * (double)steps_per_epoch);
}

void nf_stage_plan(nf_stage *stage) {
    const nf_stage_options *o = &stage->options;
    stage->steps_per_epoch = nf_stage_steps_per_epoch(stage->task->train->count,
                                                      nf_stage_batch_size(stage), o->accumulation);
    stage->total_steps = o->max_steps > 0
                             ? o->max_steps
                             : nf_stage_steps(stage->steps_per_epoch, o->num_train_epochs);
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
