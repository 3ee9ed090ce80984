/* Trainings of a project: one at a time, each in a folder of its own.
 *
 *     DIR/runs/0001/run.json           what it is, and what became of it
 *     DIR/runs/0001/all.jsonl          the texts as they were annotated then; of them train.jsonl, held_out.jsonl
 *     DIR/runs/0001/labels.json        what the labels meant
 *     DIR/runs/0001/log.txt            what nerfit train said
 *     DIR/runs/0001/model/             its output_dir: best/, report.json, report.html
 *     DIR/runs/0001/report.json        of a cross-validation
 *     DIR/runs/0001/predictions.jsonl  what is found in all.jsonl, with scores: by the model; or by models of a
 *                                      cross-validation, each in texts that it has not seen
 *
 * A thread follows the training; what it knows is asked for with functions that lock. */
#ifndef NF_SERVE_PROJECT_TRAINER_H
#define NF_SERVE_PROJECT_TRAINER_H

#include "serve/models.h"
#include "serve/project/project.h"

typedef struct nf_trainer nf_trainer;

/* Reads the runs that there are. `served`: where the newest model goes; `threads`: 0: all cores. */
nerfit_status nf_trainer_new(nf_trainer **out, const nf_project *project, nf_served *served,
                             int threads, nerfit_error *err);
/* Interrupts what runs, waits for its checkpoint; NULL is fine. */
void nf_trainer_free(nf_trainer *trainer);

/* NERFIT_ARGUMENT: there is too little to train with. */
nerfit_status nf_trainer_start(nf_trainer *trainer, const nf_project *project, bool thorough,
                               nerfit_error *err);
nerfit_status nf_trainer_resume(nf_trainer *trainer, const nf_project *project, const char *run,
                                nerfit_error *err);
void nf_trainer_cancel(nf_trainer *trainer);
bool nf_trainer_is_busy(nf_trainer *trainer);
/* Removes a run's model, which takes up room; its record and report stay. NERFIT_UNSUPPORTED: it is in
 * use. */
nerfit_status nf_trainer_forget(nf_trainer *trainer, const char *run, nerfit_error *err);
/* From now on this run's model is the one in use. */
nerfit_status nf_trainer_use(nf_trainer *trainer, const nf_project *project, const char *run,
                             nerfit_error *err);
/* The newest model's place, or the encoder with the labels' descriptions. */
nerfit_status nf_trainer_place_model(nf_trainer *trainer, const nf_project *project,
                                     nerfit_error *err);

/* DIR/runs/NAME/REST */
nf_str nf_trainer_path(const nf_trainer *trainer, const json_t *run, const char *rest);
/* The "report" of its report.json, or of the training's; NULL: it has none. */
json_t *nf_trainer_report(const nf_trainer *trainer, const json_t *run);

/* References of the caller. */
json_t *nf_trainer_progress(nf_trainer *trainer);
/* All runs, oldest first, each an object, without its texts. */
json_t *nf_trainer_runs(nf_trainer *trainer);
/* One of them; with_texts: with the texts' numbers under "texts" and "held_out". NULL: there is none. */
json_t *nf_trainer_run(nf_trainer *trainer, const char *run, bool with_texts);
/* The run whose model is in use, likewise. */
json_t *nf_trainer_current(nf_trainer *trainer, bool with_texts);

#endif
