/* A training: a child process, and the thread that follows it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "serve/project/child.h"
#include "serve/project/snapshot.h"
#include "serve/project/trainer.h"
#include "serve/project/trainer_impl.h"

/* Lines of a training's log that are kept in memory; the exit status of one that was interrupted. */
enum { MOST_POINTS = 1000, CANCELLED = 130 };

/* ---------------------------------------------------------------- following a training */

static void add_point(json_t *list, json_int_t step, const json_t *value) {
    if (json_array_size(list) < MOST_POINTS && json_is_number(value))
        json_array_append_new(list, json_pack("[I, f]", step, json_number_value(value)));
}

/* A line of nerfit train --log-json. */
static void take_line(void *user, const char *line, size_t size) {
    nf_trainer *t = user;
    json_t *entry = NULL;
    if (*line != '{' || nf_json_parse(&entry, line, size, NULL, 0, NULL) != NERFIT_OK) {
        if (size) nf_trainer_tell(t, line, size);
        return;
    }
    const json_t *step = json_object_get(entry, "step"), *total = json_object_get(entry, "total");
    if (total) t->total = json_integer_value(total);
    if (step) t->step = json_integer_value(step);
    if (!t->part && !json_object_get(entry, "fold")) {
        add_point(t->loss, t->step, json_object_get(entry, "loss"));
        add_point(t->f1, t->step, json_object_get(entry, "eval_overall_f1"));
    }
    json_decref(entry);
}

int nf_trainer_run_child(nf_trainer *t, const json_t *run, const json_t *arguments,
                         const char *output, const char *mode) {
    nf_child child;
    nerfit_error error;
    nf_str out = nf_trainer_path(t, run, output), log_path = nf_trainer_path(t, run, "log.txt");
    pthread_mutex_lock(&t->mutex);
    bool wanted = !t->stopping && !out.failed && !log_path.failed;
    nerfit_status status =
        wanted ? nf_child_start(&child, arguments, out.data, &error) : NERFIT_CANCELLED;
    if (status == NERFIT_OK)
        t->pid = child.pid;
    else if (wanted)
        nf_trainer_tell(t, error.text, strlen(error.text));
    pthread_mutex_unlock(&t->mutex);
    int ended = CANCELLED;
    if (status == NERFIT_OK) {
        FILE *log = fopen(log_path.data, mode);
        ended = nf_child_follow(&child, &t->mutex, &t->pid, log, take_line, t);
        if (log) fclose(log);
    } else if (wanted) {
        ended = 1;
    }
    nf_str_free(&out);
    nf_str_free(&log_path);
    return ended;
}

int nf_trainer_find_entities(nf_trainer *t, const json_t *run, const char *model, const char *texts,
                             const char *output) {
    nf_str best = nf_trainer_path(t, run, model), all = nf_trainer_path(t, run, texts);
    json_t *arguments =
        json_pack("[s, s, s, s, s, s, s, s]", "predict", nf_str_text(&best), nf_str_text(&all),
                  "--from", "jsonl", "--threshold", "0.05", "--quiet");
    int ended = arguments ? nf_trainer_run_child(t, run, arguments, output, "a") : 1;
    json_decref(arguments);
    nf_str_free(&best);
    nf_str_free(&all);
    return ended;
}

/* F1 and the like. */
static void take_scores(nf_trainer *t, json_t *run) {
    static const char *const names[] = {"precision", "recall", "f1"};
    json_t *report = nf_trainer_report(t, run);
    const json_t *micro = json_object_get(report, "micro");
    for (size_t i = 0; i < NF_COUNT(names) && micro; i++)
        json_object_set(run, names[i], json_object_get(micro, names[i]));
    json_decref(report);
}

static void save(nf_trainer *t, const json_t *run) {
    nerfit_error error;
    if (nf_trainer_save(t, run, &error) != NERFIT_OK) nf_log_warning(&t->log, "%s", error.text);
}

/* The run's record says how its training ended; the model is used, whatever it will prove to be worth. */
static void conclude(nf_trainer *t, json_t *run, int ended) {
    nerfit_error error;
    pthread_mutex_lock(&t->mutex);
    if (ended < 0 && ended != -SIGINT)
        nf_print(t->message, sizeof t->message, "nerfit train was ended by signal %d%s", -ended,
                 ended == -SIGKILL ? " (was there too little memory?)" : "");
    const char *state = ended == 0                               ? "done"
                        : ended == CANCELLED || ended == -SIGINT ? "cancelled"
                                                                 : "failed";
    json_object_set_new(run, "state", json_string(state));
    json_object_set_new(run, "seconds", json_real(nf_clock_now() - t->began));
    json_object_set_new(run, "error", ended == 0 ? json_null() : json_string(t->message));
    if (ended == 0) {
        json_object_set_new(run, "in_use_since", json_real(nf_clock_date()));
        if (nf_trainer_move(t, run, &error) != NERFIT_OK) nf_log_warning(&t->log, "%s", error.text);
    }
    save(t, run);
    nf_log_info(&t->log, "training %s: %s", nf_run_name(run), state);
    t->state = ended == 0 && !t->stopping ? "measuring" : state;
    t->busy = ended == 0;
    pthread_mutex_unlock(&t->mutex);
}

/* What the model finds in all texts; an exit status. */
static int find_all(nf_trainer *t, const json_t *run) {
    nf_str from = nf_trainer_path(t, run, "found.jsonl");
    nf_str to = nf_trainer_path(t, run, "predictions.jsonl");
    int ended = nf_trainer_find_entities(t, run, "model/best", "all.jsonl", "found.jsonl");
    if (ended == 0 &&
        (from.failed || to.failed || nf_file_rename(from.data, to.data, NULL) != NERFIT_OK))
        ended = 1;
    nf_str_free(&from);
    nf_str_free(&to);
    return ended;
}

/* What it is worth; it is done whether that can be said or not. */
static void measure(nf_trainer *t, json_t *run) {
    pthread_mutex_lock(&t->mutex);
    json_t *own = json_deep_copy(run); /* others may change it now that it is done */
    pthread_mutex_unlock(&t->mutex);
    bool crossed = json_array_size(json_object_get(own, "parts")) > 0;
    int ended = crossed ? nf_trainer_cross_validate(t, own) : own ? find_all(t, own) : 1;
    json_decref(own);
    pthread_mutex_lock(&t->mutex);
    if (ended != 0 && !t->stopping)
        nf_log_warning(&t->log, "training %s is not measured: %s", nf_run_name(run), t->message);
    take_scores(t, run);
    save(t, run);
    t->part = 0;
    t->state = "done";
    t->busy = false;
    pthread_mutex_unlock(&t->mutex);
}

static void *follow(void *user) {
    nf_trainer *t = user;
    json_t *run = t->now;
    pthread_mutex_lock(&t->mutex);
    t->state = "running";
    pthread_mutex_unlock(&t->mutex);
    int ended = nf_trainer_run_child(t, run, t->arguments, "scores.json", "w");
    conclude(t, run, ended);
    if (ended == 0) measure(t, run);
    return NULL;
}

/* ---------------------------------------------------------------- starting one */

static void add_argument(json_t *arguments, const char *name, const char *format, ...)
    NERFIT_PRINTF(3, 4);
static void add_argument(json_t *arguments, const char *name, const char *format, ...) {
    char value[4096];
    va_list list;
    va_start(list, format);
    nf_print_list(value, sizeof value, format, list);
    va_end(list);
    json_array_append_new(arguments, json_string(name));
    json_array_append_new(arguments, json_string(value));
}

/* A quick round has steps for a minute of annotating, and does without what makes scores probabilities. `at`: the
 * folder of train.jsonl and, if texts are held out, held_out.jsonl. */
static json_t *arguments_of(const nf_trainer *t, const nf_project *p, const json_t *run,
                            const char *at, size_t texts, bool held_out) {
    enum { BATCH = 8, LEAST_STEPS = 60, MOST_STEPS = 150, STEPS_A_BATCH = 10 };
    json_t *list = json_pack("[s, s, s]", "train", "--log-json", "--json");
    size_t steps = STEPS_A_BATCH * ((texts + BATCH - 1) / BATCH);
    const char *round = json_string_value(json_object_get(run, "round"));
    nf_str folder = nf_trainer_path(t, run, "");
    add_argument(list, "--model_name", "%s", p->encoder);
    /* labels are compared by it as well: another encoder would have to be downloaded */
    add_argument(list, "--st_model_name", "%s", p->encoder);
    add_argument(list, "--train_annotations", "%s%strain.jsonl", nf_str_text(&folder), at);
    add_argument(list, "--annotation_format", "jsonl");
    add_argument(list, "--ent2emb", "%slabels.json", nf_str_text(&folder));
    add_argument(list, "--output_dir", "%s%smodel", nf_str_text(&folder), at);
    if (held_out)
        add_argument(list, "--test_annotations", "%s%sheld_out.jsonl", nf_str_text(&folder), at);
    if (p->nested) add_argument(list, "--overlap", "longest");
    if (t->threads > 0) add_argument(list, "--threads", "%d", t->threads);
    bool quick = round && strcmp(round, "quick") == 0;
    steps = steps < LEAST_STEPS ? LEAST_STEPS : steps > MOST_STEPS ? MOST_STEPS : steps;
    if (quick) add_argument(list, "--max_steps", "0,%zu", steps);
    if (quick || *at) add_argument(list, "--calibration", "none"); /* a part's is the model's */
    nf_str_free(&folder);
    return list;
}

static bool make_arguments(nf_trainer *t, const nf_project *p, const json_t *run, bool resume) {
    size_t texts = json_array_size(json_object_get(run, "texts"));
    size_t held_out = json_array_size(json_object_get(run, "held_out"));
    bool crossed = json_array_size(json_object_get(run, "parts")) > 0;
    json_decref(t->arguments);
    json_decref(t->crossed);
    t->arguments =
        arguments_of(t, p, run, "", crossed ? texts : texts - held_out, held_out && !crossed);
    t->crossed = arguments_of(t, p, run, "part/", texts - texts / NF_FOLDS, true);
    if (!t->arguments || !t->crossed) return false;
    add_argument(t->arguments, resume ? "--resume_from_checkpoint" : "--overwrite_output_dir",
                 "true");
    add_argument(t->crossed, "--overwrite_output_dir", "true");
    return true;
}

/* The thread begins; the caller has seen that none works. */
static nerfit_status launch(nf_trainer *t, const nf_project *p, json_t *run, bool resume,
                            nerfit_error *err) {
    json_object_set_new(run, "state", json_string("running"));
    json_object_set_new(run, "error", json_null());
    NF_TRY(nf_trainer_save(t, run, err));
    if (t->started) pthread_join(t->thread, NULL);
    t->started = false;
    if (!make_arguments(t, p, run, resume)) return nf_no_memory(err, 0);
    pthread_mutex_lock(&t->mutex);
    json_array_clear(t->loss);
    json_array_clear(t->f1);
    t->now = run;
    t->state = "starting";
    t->busy = true;
    t->stopping = false;
    t->began = nf_clock_now();
    t->step = t->total = t->part = 0;
    t->message[0] = '\0';
    pthread_mutex_unlock(&t->mutex);
    t->started = pthread_create(&t->thread, NULL, follow, t) == 0;
    if (t->started) return NERFIT_OK;
    t->busy = false;
    t->state = "failed";
    return nf_fail(err, NERFIT_IO, "a thread cannot be started");
}

static nerfit_status can_start(nf_trainer *t, const nf_project *p, nerfit_error *err) {
    if (nf_trainer_is_busy(t)) return nf_fail(err, NERFIT_UNSUPPORTED, "a training runs already");
    if (p->encoder) return NERFIT_OK;
    return nf_fail(err, NERFIT_ARGUMENT, "there is no model to begin with");
}

nerfit_status nf_trainer_start(nf_trainer *t, const nf_project *p, bool thorough,
                               nerfit_error *err) {
    NF_TRY(can_start(t, p, err));
    size_t n = json_array_size(t->runs);
    uint64_t last = 0;
    if (n) nf_whole_parse(nf_run_name(json_array_get(t->runs, n - 1)), UINT64_MAX - 1, &last);
    json_t *run = json_pack("{s:o, s:s, s:s, s:f, s:s}", "run",
                            json_sprintf("%04llu", (unsigned long long)last + 1), "round",
                            thorough ? "thorough" : "quick", "state", "running", "began",
                            nf_clock_date(), "encoder", p->encoder);
    if (!run) return nf_no_memory(err, 0);
    nf_str folder = nf_trainer_path(t, run, "");
    nerfit_status status =
        folder.failed ? nf_no_memory(err, 0) : nf_snapshot_write(p, folder.data, run, err);
    nf_str_free(&folder);
    if (status == NERFIT_OK) {
        pthread_mutex_lock(&t->mutex);
        if (json_array_append(t->runs, run) != 0) status = nf_no_memory(err, 0);
        pthread_mutex_unlock(&t->mutex);
    }
    if (status == NERFIT_OK) status = launch(t, p, run, false, err);
    json_decref(run);
    return status;
}

nerfit_status nf_trainer_resume(nf_trainer *t, const nf_project *p, const char *name,
                                nerfit_error *err) {
    NF_TRY(can_start(t, p, err));
    json_t *run = nf_trainer_find(t, name);
    if (!run || nf_run_is_done(run))
        return nf_fail(err, NERFIT_ARGUMENT, "the training \"%.40s\" %s", name,
                       run ? "is done" : "is unknown");
    nf_str state = nf_trainer_path(t, run, "model/stage2");
    bool begun = !state.failed && nf_directory_exists(state.data);
    nf_str_free(&state);
    return launch(t, p, run, begun, err);
}
