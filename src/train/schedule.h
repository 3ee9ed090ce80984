/* Learning-rate schedules, equal to transformers' get_scheduler (optimization.py). */
#ifndef NF_TRAIN_SCHEDULE_H
#define NF_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum nf_schedule_kind {
    NF_SCHEDULE_LINEAR,
    NF_SCHEDULE_COSINE,
    NF_SCHEDULE_COSINE_WITH_RESTARTS,
    NF_SCHEDULE_POLYNOMIAL,
    NF_SCHEDULE_CONSTANT,
    NF_SCHEDULE_CONSTANT_WITH_WARMUP,
    NF_SCHEDULE_INVERSE_SQRT,
} nf_schedule_kind;

/* lr_scheduler_kwargs; 0 means the default. */
typedef struct nf_schedule_options {
    double num_cycles; /* cosine: 0.5; with restarts: 1 */
    double power;      /* polynomial: 1 */
    double lr_end;     /* polynomial: 1e-7; absolute, so the initial rate is needed */
    double lr_initial;
    double timescale; /* inverse_sqrt: the warm-up steps, or 10,000 without */
} nf_schedule_options;

/* The factor of the learning rate for the step that follows `step` finished ones. */
double nf_schedule_factor(nf_schedule_kind kind, int64_t step, int64_t warmup_steps,
                          int64_t total_steps, const nf_schedule_options *options);

#endif
