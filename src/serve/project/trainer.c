#include "serve/project/trainer.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/project/trainer_impl.h"

/* ---------------------------------------------------------------- records */

const char *nf_run_name(const json_t *run) {
    return json_string_value(json_object_get(run, "run"));
}

nf_str nf_trainer_path(const nf_trainer *t, const json_t *run, const char *rest) {
    nf_str path = {0};
    nf_str_appendf(&path, "%s/%s/%s", t->folder, nf_run_name(run), rest);
    return path;
}

nerfit_status nf_trainer_save(const nf_trainer *t, const json_t *run, nerfit_error *err) {
    nf_str path = nf_trainer_path(t, run, "run.json");
    nerfit_status status = path.failed ? nf_no_memory(err, 0) : nf_json_save(run, path.data, err);
    nf_str_free(&path);
    return status;
}

void nf_trainer_tell(nf_trainer *t, const char *text, size_t size) {
    nf_print(t->message, sizeof t->message, "%.*s", (int)size, text);
    nf_utf8_end(t->message);
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
    json_decref(t->crossed);
    pthread_mutex_destroy(&t->mutex);
    free(t->folder);
    free(t);
}

/* ---------------------------------------------------------------- which model */

bool nf_run_is_done(const json_t *run) {
    const char *state = json_string_value(json_object_get(run, "state"));
    return state && strcmp(state, "done") == 0;
}

static bool has_model(const json_t *run) {
    return nf_run_is_done(run) && !json_object_get(run, "forgotten");
}

json_t *nf_trainer_find(const nf_trainer *t, const char *name) {
    size_t i;
    json_t *run;
    json_array_foreach(t->runs, i, run) if (strcmp(nf_run_name(run), name) == 0) return run;
    return NULL;
}

/* The one whose model was finished, or chosen, last; NULL: none. */
static json_t *current(const nf_trainer *t) {
    size_t i;
    json_t *run, *found = NULL;
    double since = -1.0;
    json_array_foreach(t->runs, i, run) {
        double at = json_number_value(json_object_get(run, "in_use_since"));
        if (has_model(run) && at > since) found = run, since = at;
    }
    return found;
}

nerfit_status nf_trainer_move(nf_trainer *t, const json_t *run, nerfit_error *err) {
    nf_str best = nf_trainer_path(t, run, "model/best");
    nerfit_status status =
        best.failed ? nf_no_memory(err, 0) : nf_served_move(t->served, best.data, NULL, err);
    nf_str_free(&best);
    return status;
}

nerfit_status nf_trainer_place_model(nf_trainer *t, const nf_project *p, nerfit_error *err) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = current(t);
    nerfit_status status = run ? nf_trainer_move(t, run, err) : NERFIT_OK;
    pthread_mutex_unlock(&t->mutex);
    if (run || !p->encoder) return status;
    nf_str labels = {0};
    nf_str_appendf(&labels, "%s/labels.json", p->folder);
    status = labels.failed ? nf_no_memory(err, 0)
                           : nf_served_move(t->served, p->encoder, labels.data, err);
    nf_str_free(&labels);
    return status;
}

nerfit_status nf_trainer_forget(nf_trainer *t, const char *name, nerfit_error *err) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = nf_trainer_find(t, name);
    nerfit_status status = NERFIT_OK;
    if (!run || !has_model(run))
        status = nf_fail(err, NERFIT_ARGUMENT, "the training \"%.40s\" has no model", name);
    else if (run == current(t))
        status = nf_fail(err, NERFIT_UNSUPPORTED, "the model of training %s is in use", name);
    if (status == NERFIT_OK) {
        nf_str best = nf_trainer_path(t, run, "model/best");
        json_object_set_new(run, "forgotten", json_true());
        status = nf_trainer_save(t, run, err);
        if (status == NERFIT_OK)
            status = best.failed ? nf_no_memory(err, 0) : nf_directory_remove(best.data, err);
        nf_str_free(&best);
    }
    pthread_mutex_unlock(&t->mutex);
    return status;
}

nerfit_status nf_trainer_use(nf_trainer *t, const nf_project *p, const char *name,
                             nerfit_error *err) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = nf_trainer_find(t, name);
    nerfit_status status =
        run && has_model(run)
            ? NERFIT_OK
            : nf_fail(err, NERFIT_ARGUMENT, "the training \"%.40s\" has no model", name);
    if (status == NERFIT_OK) {
        json_object_set_new(run, "in_use_since", json_real(nf_clock_date()));
        status = nf_trainer_save(t, run, err);
    }
    pthread_mutex_unlock(&t->mutex);
    return status == NERFIT_OK ? nf_trainer_place_model(t, p, err) : status;
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

json_t *nf_trainer_report(const nf_trainer *t, const json_t *run) {
    static const char *const places[] = {"report.json", "model/report.json"};
    json_t *page = NULL;
    for (size_t i = 0; i < NF_COUNT(places) && !page; i++) {
        nf_str path = nf_trainer_path(t, run, places[i]);
        if (path.failed || nf_json_load(&page, path.data, NULL) != NERFIT_OK) page = NULL;
        nf_str_free(&path);
    }
    json_t *report = json_incref(json_object_get(page, "report"));
    json_decref(page);
    if (json_is_object(report)) return report;
    json_decref(report);
    return NULL;
}

/* A run's record for others; the lists of its texts, which may be long, are copied if they are wanted. */
static json_t *copy_of(json_t *run, bool is_current, bool with_texts) {
    json_t *kept = with_texts ? json_incref(run) : json_copy(run);
    if (kept && !with_texts) {
        json_object_del(kept, "texts");
        json_object_del(kept, "held_out");
    }
    json_t *copy = json_deep_copy(kept);
    json_decref(kept);
    if (!copy) return NULL;
    size_t held_out = json_array_size(json_object_get(run, "held_out"));
    json_object_set_new(copy, "current", json_boolean(is_current));
    json_object_set_new(copy, "has_model", json_boolean(has_model(run)));
    json_object_set_new(copy, "n_held_out", json_integer((json_int_t)held_out));
    return copy;
}

json_t *nf_trainer_progress(nf_trainer *t) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = t->now, *error = json_object_get(run, "error");
    const char *round = json_string_value(json_object_get(run, "round"));
    double seconds =
        t->busy ? nf_clock_now() - t->began : json_number_value(json_object_get(run, "seconds"));
    json_t *progress =
        json_pack("{s:s, s:s?, s:s?, s:I, s:I, s:i, s:f, s:O?, s:O?, s:o, s:o, s:s}", "state",
                  t->state, "run", run ? nf_run_name(run) : NULL, "round", round, "step", t->step,
                  "total_steps", t->total, "part", t->part, "seconds", seconds, "error", error,
                  "score", json_object_get(run, "f1"), "loss", json_deep_copy(t->loss), "f1",
                  json_deep_copy(t->f1), "message", t->message);
    pthread_mutex_unlock(&t->mutex);
    return progress;
}

json_t *nf_trainer_runs(nf_trainer *t) {
    size_t i;
    json_t *run, *list = json_array();
    pthread_mutex_lock(&t->mutex);
    const json_t *used = current(t);
    json_array_foreach(t->runs, i, run)
        json_array_append_new(list, copy_of(run, run == used, false));
    pthread_mutex_unlock(&t->mutex);
    return list;
}

json_t *nf_trainer_run(nf_trainer *t, const char *name, bool with_texts) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = nf_trainer_find(t, name);
    json_t *copy = run ? copy_of(run, run == current(t), with_texts) : NULL;
    pthread_mutex_unlock(&t->mutex);
    return copy;
}

json_t *nf_trainer_current(nf_trainer *t, bool with_texts) {
    pthread_mutex_lock(&t->mutex);
    json_t *run = current(t), *copy = run ? copy_of(run, true, with_texts) : NULL;
    pthread_mutex_unlock(&t->mutex);
    return copy;
}
