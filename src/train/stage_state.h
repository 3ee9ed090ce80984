/* A stage of training: what it is asked to do, where it stands, and what it says as it goes. */
#ifndef NF_TRAIN_STAGE_STATE_H
#define NF_TRAIN_STAGE_STATE_H

#include "model/team.h"
#include "train/comm.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/task.h"

typedef enum nf_strategy { NF_STRATEGY_NO, NF_STRATEGY_STEPS, NF_STRATEGY_EPOCH } nf_strategy;

typedef struct nf_stage_options {
    size_t train_batch_size, eval_batch_size, accumulation;
    double learning_rate;    /* of NF_GROUP_ENCODER */
    double rates[NF_GROUPS]; /* of the other groups */
    double weight_decay, adam_beta1, adam_beta2, adam_epsilon, max_grad_norm;
    nf_schedule_kind scheduler;
    nf_schedule_options schedule;
    double warmup_ratio;
    int64_t warmup_steps;
    int64_t max_steps; /* <= 0: num_train_epochs counts */
    double num_train_epochs;
    uint64_t seed;
    nf_strategy eval_strategy, logging_strategy, save_strategy;
    int64_t eval_steps, logging_steps, save_steps;
    int64_t save_total_limit; /* 0: all are kept */
    bool load_best_model_at_end;
    const char *metric_for_best_model; /* "eval_" may be left out */
    bool greater_is_better;
    int64_t early_stopping_patience; /* 0: off */
    double early_stopping_threshold;
} nf_stage_options;

/* Where a run stands; everything a resumed run needs besides the values in the flat buffers. */
typedef struct nf_stage_state {
    int64_t step;    /* optimizer steps done */
    double loss_sum; /* of the steps since the last log, and of all */
    double loss_total;
    int64_t loss_steps;
    bool has_best;
    double best_metric;
    int64_t best_step;
    char *best_folder; /* malloc'ed: its checkpoint, if it is another run's; NULL: this stage's */
    int64_t patience_used;
    bool stopped_early;
    json_t *log_history; /* array of objects, as in trainer_state.json */
} nf_stage_state;

typedef struct nf_stage nf_stage;

/* What happens goes to the observer: text for the log is not made here. */
typedef enum nf_stage_event {
    NF_STAGE_BEGIN,
    NF_STAGE_STEP,     /* after every optimizer step */
    NF_STAGE_LOG,      /* `entry`: loss, learning_rate, grad_norm, epoch, step */
    NF_STAGE_EVALUATE, /* `entry`: the metrics */
    NF_STAGE_SAVE,     /* `path`: the checkpoint's folder */
    NF_STAGE_END,
} nf_stage_event;

typedef struct nf_stage_report {
    nf_stage_event event;
    int stage; /* 1 or 2 */
    const char *name;
    int64_t step, total_steps;
    double epoch;
    double loss; /* of this step */
    const json_t *entry;
    const char *path;
    int fold, folds; /* of a cross-validation's training: 1 .. folds; 0: the run's own */
} nf_stage_report;

/* Returns false to stop: a checkpoint is then written, and the stage returns NERFIT_CANCELLED. */
typedef bool (*nf_stage_observer)(void *user, const nf_stage_report *report);

/* Fills `order` with the indices of all `count` training examples: the order of an epoch, a function
 * of its arguments alone, so that a resumed run meets the same. */
typedef void (*nf_stage_order)(void *user, uint64_t seed, int64_t epoch, uint32_t *order,
                               size_t count);

struct nf_stage {
    int number;         /* 1 or 2 */
    const char *folder; /* receives checkpoint-N */
    nf_stage_options options;
    nf_task *task;
    nf_workspace *ws;
    nf_comm *comm; /* the ranks of a data-parallel training; NULL: one process. A batch then has
                      train_batch_size texts for each; checkpoints are rank 0's. */
    nf_team *team; /* while it runs; NULL: none */
    nf_optimizer *optimizer; /* while it runs */
    const nf_log *log;
    const json_t *run; /* what its checkpoints say of the run they belong to; NULL: nothing */
    nf_stage_observer observer;
    nf_stage_order order; /* NULL: shuffled anew in every epoch */
    void *user;           /* of both */
    /* set by the stage */
    int64_t total_steps, steps_per_epoch;
    nf_stage_state state;
};

/* Optimizer steps of one pass over n texts: batches, the last of which may be short, and of these
 * `accumulation` a step, of which the last may have fewer. At least 1. */
int64_t nf_stage_steps_per_epoch(size_t n, size_t batch_size, size_t accumulation);
/* Of that many passes, a part of one rounded up. */
int64_t nf_stage_steps(int64_t steps_per_epoch, double epochs);
/* Optimizer steps of the whole stage, and of one pass over the examples. */
void nf_stage_plan(nf_stage *stage);
/* "epoch" of a step, as transformers counts it. */
double nf_stage_epoch(const nf_stage *stage, int64_t step);
/* Texts of a batch, of all ranks. */
size_t nf_stage_batch_size(const nf_stage *stage);
void nf_stage_free(nf_stage *stage);

#endif
