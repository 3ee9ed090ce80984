/* What trainer.c (records, which model is in use), training.c (the training itself) and crossed.c (the
 * cross-validation behind it) share. */
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
    int part;          /* of a cross-validation; 0: none is under way */
    json_t *arguments; /* of the training: texts */
    json_t *crossed; /* of the trainings of a cross-validation, which work in DIR/runs/NAME/part */
} nf_trainer;

const char *nf_run_name(const json_t *run);
/* A child process with these arguments; its output goes to a file of the run, what it says into log.txt, opened
 * with `mode`. Its exit status. */
int nf_trainer_run_child(nf_trainer *trainer, const json_t *run, const json_t *arguments,
                         const char *output, const char *mode);
/* nerfit predict, with all that might be an entity; its exit status. */
int nf_trainer_find_entities(nf_trainer *trainer, const json_t *run, const char *model,
                             const char *texts, const char *output);
/* Trains without each of the run's "parts" in turn, and measures there: report.json and predictions.jsonl of the
 * run. An exit status. */
int nf_trainer_cross_validate(nf_trainer *trainer, const json_t *run);
bool nf_run_is_done(const json_t *run);
/* The caller holds the mutex, here and below, or no thread works. */
json_t *nf_trainer_find(const nf_trainer *trainer, const char *name);
nerfit_status nf_trainer_save(const nf_trainer *trainer, const json_t *run, nerfit_error *err);
/* The message becomes a text [size]. */
void nf_trainer_tell(nf_trainer *trainer, const char *text, size_t size);
/* The run's model becomes the one in use. */
nerfit_status nf_trainer_move(nf_trainer *trainer, const json_t *run, nerfit_error *err);

#endif
