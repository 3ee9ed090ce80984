#include "train/task.h"

nf_task_batch nf_task_batch_of(const nf_task *task, const nf_example *const *texts, size_t count,
                               double grad_scale) {
    nf_task_batch batch = {.texts = texts, .count = count, .grad_scale = grad_scale};
    batch.whole = (nf_extent){.counted = (double)count, .texts = (double)count};
    for (size_t i = 0; i < count; i++) {
        if ((double)texts[i]->length > batch.whole.longest)
            batch.whole.longest = (double)texts[i]->length;
        if ((double)texts[i]->n_entities > batch.whole.most_entities)
            batch.whole.most_entities = (double)texts[i]->n_entities;
    }
    if (task->measure) batch.whole.counted = task->measure(task, texts, count);
    return batch;
}

const nf_report *nf_task_last_report(const nf_task *task) {
    return task->evaluation ? task->evaluation->report : NULL;
}
