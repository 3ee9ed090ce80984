/* What trainer.c (records, which model is in use) and training.c (the training itself) share. */
#ifndef NF_SERVE_PROJECT_TRAINER_IMPL_H
#define NF_SERVE_PROJECT_TRAINER_IMPL_H

#include "base/log.h"
#include "base/str.h"
#include "serve/models.h"

typedef struct nf_trainer {
    char *folder; /* DIR/runs */
    nf_served *served;
    int threads;
    nf_log log;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* of what follows */
    json_t *runs;          /* objects, oldest first */
    json_t *now;           /* the last one that was started; or NULL */
    const char *state;
    bool busy, stopping;
    pid_t pid; /* 0: none */
    double began;
    json_t *loss, *f1; /* [[step, value], ...] */
    json_int_t step, total;
    char message[512];
    json_t *arguments; /* of the training: texts */
} nf_trainer;

const char *nf_run_name(const json_t *run);
bool nf_run_is_done(const json_t *run);
/* The caller holds the mutex, here and below, or no thread works. */
json_t *nf_trainer_find(const nf_trainer *trainer, const char *name);
nerfit_status nf_trainer_save(const nf_trainer *trainer, const json_t *run, nerfit_error *err);
/* The run's model becomes the one in use. */
nerfit_status nf_trainer_move(nf_trainer *trainer, const json_t *run, nerfit_error *err);

#endif
