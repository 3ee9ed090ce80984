#include "serve/project/trainer.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/project/child.h"
#include "serve/project/snapshot.h"

/* Lines of a training's log that are kept in memory. */
enum { MOST_POINTS = 1000, CANCELLED = 130 };

struct nf_trainer {
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
};

/* ---------------------------------------------------------------- records */

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-3 * (double)(now.tv_nsec / 1000000);
}

static const char *name_of(const json_t *run) {
    return json_string_value(json_object_get(run, "run"));
}

/* DIR/runs/NAME/REST */
static nf_str path_in(const nf_trainer *t, const json_t *run, const char *rest) {
    nf_str path = {0};
    nf_str_appendf(&path, "%s/%s/%s", t->folder, name_of(run), rest);
    return path;
}

static nerfit_status save_run(const nf_trainer *t, const json_t *run, nerfit_error *err) {
    nf_str path = path_in(t, run, "run.json");
    nerfit_status status = path.failed ? nf_no_memory(err, 0) : nf_json_save(run, path.data, err);
    nf_str_free(&path);
    return status;
}

static bool is_run_name(const char *name) {
    return strlen(name) >= 4 && strspn(name, "0123456789") == strlen(name);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_run(const struct dirent *entry) {
    return is_run_name(entry->d_name);
}

/* What a service that was killed left behind does not run any more. */
static void load_run(nf_trainer *t, const char *name) {
    nf_str path = {0};
    json_t *run = NULL;
    nerfit_error error;
    nf_str_appendf(&path, "%s/%s/run.json", t->folder, name);
    if (path.failed || nf_json_load(&run, path.data, &error) != NERFIT_OK || !json_is_object(run)) {
        nf_log_warning(&t->log, "%s is passed over: it is no training of this project", path.data);
        json_decref(run);
        run = NULL;
    }
    nf_str_free(&path);
    if (!run) return;
    const char *state = json_string_value(json_object_get(run, "state"));
    json_object_set_new(run, "run", json_string(name));
    if (state && strcmp(state, "running") == 0) {
        json_object_set_new(run, "state", json_string("cancelled"));
        json_object_set_new(run, "error", json_string("the service ended while it ran"));
    }
    json_array_append_new(t->runs, run);
}

nerfit_status nf_trainer_new(nf_trainer **out, const nf_project *p, nf_served *served, int threads,
                             nerfit_error *err) {
    nf_trainer *t = *out = calloc(1, sizeof *t);
    nf_str folder = {0};
    struct dirent **entries = NULL;
    if (!t) return nf_no_memory(err, sizeof *t);
    pthread_mutex_init(&t->mutex, NULL);
    t->served = served;
    t->threads = threads;
    t->log = p->log;
    t->state = "idle";
    nf_str_appendf(&folder, "%s/runs", p->folder);
    t->folder = folder.data;
    t->runs = json_array();
    t->loss = json_array();
    t->f1 = json_array();
    if (folder.failed || !t->runs || !t->loss || !t->f1) return nf_no_memory(err, 0);
    NF_TRY(nf_directory_make(t->folder, err));
    int n = scandir(t->folder, &entries, is_run, by_name);
    for (int i = 0; i < n; i++) {
        load_run(t, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return nf_trainer_place_model(t, p, err);
}

void nf_trainer_free(nf_trainer *t) {
    if (!t) return;
    nf_trainer_cancel(t);
    if (t->started) pthread_join(t->thread, NULL);
    json_decref(t->runs);
    json_decref(t->loss);
    json_decref(t->f1);
    json_decref(t->arguments);
    pthread_mutex_destroy(&t->mutex);
    free(t->folder);
    free(t);
}

/* ---------------------------------------------------------------- which model */

static bool is_done(const json_t *run) {
    const char *state = json_string_value(json_object_get(run, "state"));
    return state && strcmp(state, "done") == 0;
}

static json_t *find(const nf_trainer *t, const char *name) {
    size_t i;
    json_t *run;
    json_array_foreach(t->runs, i, run) if (strcmp(name_of(run), name) == 0) return run;
    return NULL;
}

/* The one whose model was finished, or chosen, last; NULL: none. */
static json_t *current(const nf_trainer *t) {
    size_t i;
    json_t *run, *found = NULL;
    double since = -1.0;
    json_array_foreach(t->runs, i, run) {
        double at = json_number_value(json_object_get(run, "in_use_since"));
        if (is_done(run) && at > since) found = run, since = at;
    }
    return found;
}

static nerfit_status move_to(nf_trainer *t, const json_t *run, nerfit_error *err) {
    nf_str best = path_in(t, run, "model/best");
    nerfit_status status =
        best.failed ? nf_no_memory(err, 0) : nf_served_move(t->served, best.data, NULL, err);
    nf_str_free(&best);
    return status;
}

nerfit_status nf_trainer_place_model(nf_trainer *t, const nf_project *p, nerfit_error *err) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = current(t);
    nerfit_status status = run ? move_to(t, run, err) : NERFIT_OK;
    pthread_mutex_unlock(&t->mutex);
    if (run || !p->encoder) return status;
    nf_str labels = {0};
    nf_str_appendf(&labels, "%s/labels.json", p->folder);
    status = labels.failed ? nf_no_memory(err, 0)
                           : nf_served_move(t->served, p->encoder, labels.data, err);
    nf_str_free(&labels);
    return status;
}

nerfit_status nf_trainer_use(nf_trainer *t, const nf_project *p, const char *name,
                             nerfit_error *err) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = find(t, name);
    nerfit_status status =
        run && is_done(run)
            ? NERFIT_OK
            : nf_fail(err, NERFIT_ARGUMENT, "the training \"%.40s\" has no model", name);
    if (status == NERFIT_OK) {
        json_object_set_new(run, "in_use_since", json_real(seconds_now()));
        status = save_run(t, run, err);
    }
    pthread_mutex_unlock(&t->mutex);
    return status == NERFIT_OK ? nf_trainer_place_model(t, p, err) : status;
}

/* ---------------------------------------------------------------- following a training */

static void add_point(json_t *list, json_int_t step, const json_t *value) {
    if (json_array_size(list) < MOST_POINTS && json_is_number(value))
        json_array_append_new(list, json_pack("[I, f]", step, json_number_value(value)));
}

/* A line of nerfit train --log-json. */
static void take_line(nf_trainer *t, const char *line, size_t size) {
    json_t *entry = NULL;
    if (*line != '{' || nf_json_parse(&entry, line, size, NULL, 0, NULL) != NERFIT_OK) {
        if (size) nf_print(t->message, sizeof t->message, "%.*s", (int)size, line);
        return;
    }
    const json_t *step = json_object_get(entry, "step"), *total = json_object_get(entry, "total");
    if (total) t->total = json_integer_value(total);
    if (step) t->step = json_integer_value(step);
    if (!json_object_get(entry, "fold")) {
        add_point(t->loss, t->step, json_object_get(entry, "loss"));
        add_point(t->f1, t->step, json_object_get(entry, "eval_overall_f1"));
    }
    json_decref(entry);
}

static void follow_messages(nf_trainer *t, FILE *messages, FILE *log) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&line, &capacity, messages)) > 0) {
        if (log) fwrite(line, 1, (size_t)size, log);
        if (line[size - 1] == '\n') size--;
        size_t bad;
        if (!nf_utf8_valid(line, (size_t)size, &bad)) size = (ssize_t)bad;
        pthread_mutex_lock(&t->mutex);
        take_line(t, line, (size_t)size);
        pthread_mutex_unlock(&t->mutex);
    }
    free(line);
}

/* Its exit status. */
static int run_child(nf_trainer *t, json_t *run, const json_t *arguments, const char *output,
                     const char *mode) {
    nf_child child;
    nerfit_error error;
    const char *texts[64] = {0};
    nf_str out = path_in(t, run, output), log_path = path_in(t, run, "log.txt");
    for (size_t i = 0; i < json_array_size(arguments) && i < 63; i++)
        texts[i] = json_string_value(json_array_get(arguments, i));
    pthread_mutex_lock(&t->mutex);
    bool wanted = !t->stopping && !out.failed && !log_path.failed;
    nerfit_status status =
        wanted ? nf_child_start(&child, texts, out.data, &error) : NERFIT_CANCELLED;
    if (status == NERFIT_OK)
        t->pid = child.pid;
    else if (wanted)
        nf_print(t->message, sizeof t->message, "%s", error.text);
    pthread_mutex_unlock(&t->mutex);
    int ended = CANCELLED;
    if (status == NERFIT_OK) {
        FILE *log = fopen(log_path.data, mode);
        follow_messages(t, child.messages, log);
        if (log) fclose(log);
        pthread_mutex_lock(&t->mutex);
        t->pid = 0; /* no signal to a number that is another's */
        pthread_mutex_unlock(&t->mutex);
        ended = nf_child_end(&child);
    } else if (wanted) {
        ended = 1;
    }
    nf_str_free(&out);
    nf_str_free(&log_path);
    return ended;
}

/* What the model finds in the texts that it was trained and measured with: for thresholds, and for where
 * it and the annotations differ. */
static int find_entities(nf_trainer *t, json_t *run) {
    nf_str best = path_in(t, run, "model/best"), all = path_in(t, run, "all.jsonl");
    json_t *arguments =
        json_pack("[s, s, s, s, s, s, s, s]", "predict", nf_str_text(&best), nf_str_text(&all),
                  "--from", "jsonl", "--threshold", "0.05", "--quiet");
    int ended = arguments ? run_child(t, run, arguments, "predictions.jsonl", "a") : 1;
    json_decref(arguments);
    nf_str_free(&best);
    nf_str_free(&all);
    return ended;
}

/* F1 and the like, of report.json. */
static void take_scores(nf_trainer *t, json_t *run) {
    static const char *const names[] = {"precision", "recall", "f1"};
    json_t *report = NULL;
    nf_str path = path_in(t, run, "model/report.json");
    if (!path.failed && nf_json_load(&report, path.data, NULL) == NERFIT_OK) {
        const json_t *micro = json_object_get(json_object_get(report, "report"), "micro");
        for (size_t i = 0; i < NF_COUNT(names) && micro; i++)
            json_object_set(run, names[i], json_object_get(micro, names[i]));
    }
    json_decref(report);
    nf_str_free(&path);
}

/* The run's record says how it ended. */
static void conclude(nf_trainer *t, json_t *run, int ended) {
    nerfit_error error;
    pthread_mutex_lock(&t->mutex);
    const char *state = ended == 0                               ? "done"
                        : ended == CANCELLED || ended == -SIGINT ? "cancelled"
                                                                 : "failed";
    json_object_set_new(run, "state", json_string(state));
    json_object_set_new(run, "seconds", json_real(nf_clock_now() - t->began));
    json_object_set_new(run, "error", ended == 0 ? json_null() : json_string(t->message));
    if (ended == 0) {
        take_scores(t, run);
        json_object_set_new(run, "in_use_since", json_real(seconds_now()));
        if (move_to(t, run, &error) != NERFIT_OK) nf_log_warning(&t->log, "%s", error.text);
    }
    if (save_run(t, run, &error) != NERFIT_OK) nf_log_warning(&t->log, "%s", error.text);
    nf_log_info(&t->log, "training %s: %s", name_of(run), state);
    t->state = state;
    t->busy = false;
    pthread_mutex_unlock(&t->mutex);
}

static void *follow(void *user) {
    nf_trainer *t = user;
    json_t *run = t->now;
    pthread_mutex_lock(&t->mutex);
    t->state = "running";
    pthread_mutex_unlock(&t->mutex);
    int ended = run_child(t, run, t->arguments, "scores.json", "w");
    if (ended == 0 && find_entities(t, run) != 0)
        nf_log_warning(&t->log, "training %s: its model finds nothing in its texts: %s",
                       name_of(run), t->message);
    conclude(t, run, ended);
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

/* A quick round has steps for a minute of annotating, and does without what makes scores probabilities. */
static json_t *arguments_of(const nf_trainer *t, const nf_project *p, const json_t *run,
                            bool resume) {
    enum { BATCH = 8, LEAST_STEPS = 60, MOST_STEPS = 150, STEPS_A_BATCH = 10 };
    json_t *list = json_pack("[s, s, s]", "train", "--log-json", "--json");
    size_t held_out = json_array_size(json_object_get(run, "held_out"));
    size_t texts = json_array_size(json_object_get(run, "texts")) - held_out;
    size_t steps = STEPS_A_BATCH * ((texts + BATCH - 1) / BATCH);
    const char *round = json_string_value(json_object_get(run, "round"));
    nf_str folder = path_in(t, run, "");
    const char *at = nf_str_text(&folder);
    add_argument(list, "--model_name", "%s", p->encoder);
    /* labels are compared by it as well: another encoder would have to be downloaded */
    add_argument(list, "--st_model_name", "%s", p->encoder);
    add_argument(list, "--train_annotations", "%strain.jsonl", at);
    add_argument(list, "--annotation_format", "jsonl");
    add_argument(list, "--ent2emb", "%slabels.json", at);
    add_argument(list, "--output_dir", "%smodel", at);
    if (held_out) add_argument(list, "--test_annotations", "%sheld_out.jsonl", at);
    if (p->nested) add_argument(list, "--overlap", "longest");
    if (t->threads > 0) add_argument(list, "--threads", "%d", t->threads);
    if (round && strcmp(round, "quick") == 0) {
        steps = steps < LEAST_STEPS ? LEAST_STEPS : steps > MOST_STEPS ? MOST_STEPS : steps;
        add_argument(list, "--max_steps", "0,%zu", steps);
        add_argument(list, "--calibration", "none");
    }
    add_argument(list, resume ? "--resume_from_checkpoint" : "--overwrite_output_dir", "true");
    nf_str_free(&folder);
    return list;
}

/* The thread begins; the caller has seen that none works. */
static nerfit_status launch(nf_trainer *t, const nf_project *p, json_t *run, bool resume,
                            nerfit_error *err) {
    json_object_set_new(run, "state", json_string("running"));
    json_object_set_new(run, "error", json_null());
    NF_TRY(save_run(t, run, err));
    if (t->started) pthread_join(t->thread, NULL);
    t->started = false;
    json_decref(t->arguments);
    if (!(t->arguments = arguments_of(t, p, run, resume))) return nf_no_memory(err, 0);
    pthread_mutex_lock(&t->mutex);
    json_array_clear(t->loss);
    json_array_clear(t->f1);
    t->now = run;
    t->state = "starting";
    t->busy = true;
    t->stopping = false;
    t->began = nf_clock_now();
    t->step = t->total = 0;
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
    if (n) nf_whole_parse(name_of(json_array_get(t->runs, n - 1)), UINT64_MAX - 1, &last);
    json_t *run = json_pack("{s:o, s:s, s:s, s:f, s:s}", "run",
                            json_sprintf("%04llu", (unsigned long long)last + 1), "round",
                            thorough ? "thorough" : "quick", "state", "running", "began",
                            seconds_now(), "encoder", p->encoder);
    if (!run) return nf_no_memory(err, 0);
    nf_str folder = path_in(t, run, "");
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
    json_t *run = find(t, name);
    if (!run || is_done(run))
        return nf_fail(err, NERFIT_ARGUMENT, "the training \"%.40s\" %s", name,
                       run ? "is done" : "is unknown");
    nf_str state = path_in(t, run, "model/stage2");
    bool begun = !state.failed && nf_directory_exists(state.data);
    nf_str_free(&state);
    return launch(t, p, run, begun, err);
}

void nf_trainer_cancel(nf_trainer *t) {
    pthread_mutex_lock(&t->mutex);
    if (t->busy) {
        t->stopping = true;
        t->state = "stopping";
        if (t->pid > 0) kill(t->pid, SIGINT);
    }
    pthread_mutex_unlock(&t->mutex);
}

bool nf_trainer_is_busy(nf_trainer *t) {
    pthread_mutex_lock(&t->mutex);
    bool busy = t->busy;
    pthread_mutex_unlock(&t->mutex);
    return busy;
}

/* ---------------------------------------------------------------- answers */

static json_t *without_texts(const nf_trainer *t, const json_t *run, bool with_texts) {
    json_t *copy = json_deep_copy(run);
    if (!copy) return NULL;
    size_t held_out = json_array_size(json_object_get(run, "held_out"));
    json_object_set_new(copy, "current", json_boolean(current(t) == run));
    json_object_set_new(copy, "n_held_out", json_integer((json_int_t)held_out));
    if (!with_texts) {
        json_object_del(copy, "texts");
        json_object_del(copy, "held_out");
    }
    return copy;
}

json_t *nf_trainer_progress(nf_trainer *t) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = t->now, *error = json_object_get(run, "error");
    const char *round = json_string_value(json_object_get(run, "round"));
    double seconds =
        t->busy ? nf_clock_now() - t->began : json_number_value(json_object_get(run, "seconds"));
    json_t *progress =
        json_pack("{s:s, s:s?, s:s?, s:I, s:I, s:f, s:O?, s:o, s:o, s:s}", "state", t->state, "run",
                  run ? name_of(run) : NULL, "round", round, "step", t->step, "total_steps",
                  t->total, "seconds", seconds, "error", error, "loss", json_deep_copy(t->loss),
                  "f1", json_deep_copy(t->f1), "message", t->message);
    pthread_mutex_unlock(&t->mutex);
    return progress;
}

json_t *nf_trainer_runs(nf_trainer *t, bool with_texts) {
    size_t i;
    json_t *run, *list = json_array();
    pthread_mutex_lock(&t->mutex);
    json_array_foreach(t->runs, i, run)
        json_array_append_new(list, without_texts(t, run, with_texts));
    pthread_mutex_unlock(&t->mutex);
    return list;
}

json_t *nf_trainer_run(nf_trainer *t, const char *name) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = find(t, name), *copy = run ? without_texts(t, run, true) : NULL;
    pthread_mutex_unlock(&t->mutex);
    return copy;
}

json_t *nf_trainer_current(nf_trainer *t) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = current(t), *copy = run ? without_texts(t, run, true) : NULL;
    pthread_mutex_unlock(&t->mutex);
    return copy;
}
