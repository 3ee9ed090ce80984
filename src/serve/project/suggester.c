#include "serve/project/suggester.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/project/child.h"
#include "serve/project/snapshot.h"

/* So many open texts are looked at, and so many ranked; a new ranking is due when half are used up. */
enum { MOST_CANDIDATES = 2000, MOST_RANKED = 50 };

struct nf_suggester {
    char *folder; /* DIR/suggest */
    int threads;
    pthread_t thread;
    bool started;
    json_t *arguments;     /* texts */
    pthread_mutex_t mutex; /* of what follows */
    const char *state;     /* "idle", "running", "ready", "failed" */
    pid_t pid;
    char *model;
    json_t *ranking;
    char message[512];
};

nerfit_status nf_suggester_new(nf_suggester **out, const nf_project *p, int threads,
                               nerfit_error *err) {
    nf_suggester *s = *out = calloc(1, sizeof *s);
    nf_str folder = {0};
    if (!s) return nf_no_memory(err, sizeof *s);
    pthread_mutex_init(&s->mutex, NULL);
    s->threads = threads;
    s->state = "idle";
    nf_str_appendf(&folder, "%s/suggest", p->folder);
    s->folder = folder.data;
    if (folder.failed || !(s->ranking = json_array())) return nf_no_memory(err, 0);
    return nf_directory_remove(s->folder, err);
}

void nf_suggester_free(nf_suggester *s) {
    if (!s) return;
    pthread_mutex_lock(&s->mutex);
    if (s->pid > 0) kill(s->pid, SIGINT);
    pthread_mutex_unlock(&s->mutex);
    if (s->started) pthread_join(s->thread, NULL);
    nf_directory_remove(s->folder, NULL);
    json_decref(s->arguments);
    json_decref(s->ranking);
    pthread_mutex_destroy(&s->mutex);
    free(s->model);
    free(s->folder);
    free(s);
}

/* ---------------------------------------------------------------- its thread */

static void take_line(void *user, const char *line, size_t size) {
    nf_suggester *s = user;
    nf_print(s->message, sizeof s->message, "%.*s", (int)size, line);
    nf_utf8_end(s->message);
}

static nerfit_status rank_text(void *user, const json_t *line, long number, nerfit_error *err) {
    json_t *one =
        json_pack("[O, O?]", json_object_get(line, "id"), json_object_get(line, "suggestion"));
    (void)number;
    return json_array_append_new(user, one) == 0
               ? NERFIT_OK
               : nf_fail(err, NERFIT_FORMAT, "a ranked text without a number");
}

/* Texts with "id" and "suggestion", the best first; NULL: they cannot be read. */
static json_t *read_ranking(const char *path) {
    json_t *ranking = json_array();
    if (ranking && nf_lines_load(path, rank_text, ranking, NULL) == NERFIT_OK) return ranking;
    json_decref(ranking);
    return NULL;
}

static void *rank(void *user) {
    nf_suggester *s = user;
    nf_child child;
    nerfit_error error;
    nf_str output = {0};
    nf_str_appendf(&output, "%s/ranked.jsonl", s->folder);
    pthread_mutex_lock(&s->mutex);
    nerfit_status status = output.failed
                               ? nf_no_memory(&error, 0)
                               : nf_child_start(&child, s->arguments, output.data, &error);
    if (status == NERFIT_OK)
        s->pid = child.pid;
    else
        take_line(s, error.text, strlen(error.text));
    pthread_mutex_unlock(&s->mutex);
    int ended =
        status == NERFIT_OK ? nf_child_follow(&child, &s->mutex, &s->pid, NULL, take_line, s) : 1;
    json_t *ranking = ended == 0 ? read_ranking(output.data) : NULL;
    nf_str_free(&output);
    pthread_mutex_lock(&s->mutex);
    s->state = ranking ? "ready" : "failed";
    if (ranking) {
        json_decref(s->ranking);
        s->ranking = ranking;
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* ---------------------------------------------------------------- starting it */

static nerfit_status write_texts(const nf_suggester *s, const nf_project *p, bool *known,
                                 nerfit_error *err) {
    nf_str open = {0}, done = {0};
    size_t n = 0;
    for (size_t i = 0; i < p->n_texts; i++) {
        const nf_item *text = p->texts[i];
        if (text->deleted) continue;
        if (text->status == NF_TEXT_OPEN && n++ < MOST_CANDIDATES) nf_item_line(&open, text, true);
        if (nf_item_is_accepted(text)) nf_item_line(&done, text, true);
    }
    nerfit_status status = NERFIT_OK;
    *known = done.length > 0;
    if (open.failed || done.failed) status = nf_no_memory(err, open.length);
    if (!n) status = nf_fail(err, NERFIT_ARGUMENT, "there is no open text");
    if (status == NERFIT_OK) status = nf_directory_make(s->folder, err);
    if (status == NERFIT_OK)
        status = nf_lines_save(nf_str_text(&open), open.length, s->folder, "open.jsonl", err);
    if (status == NERFIT_OK && *known)
        status = nf_lines_save(done.data, done.length, s->folder, "known.jsonl", err);
    nf_str_free(&open);
    nf_str_free(&done);
    return status;
}

static void add(json_t *arguments, const char *name, json_t *value) {
    json_array_append_new(arguments, json_string(name));
    json_array_append_new(arguments, value);
}

static json_t *arguments_of(const nf_suggester *s, const char *model, const char *labels,
                            bool known) {
    json_t *list = json_pack("[s, o]", "suggest", json_sprintf("%s/open.jsonl", s->folder));
    add(list, "--model", json_string(model));
    if (labels) add(list, "--labels", json_string(labels));
    if (known) add(list, "--known", json_sprintf("%s/known.jsonl", s->folder));
    add(list, "--texts", json_sprintf("%d", MOST_RANKED));
    if (s->threads > 0) add(list, "--threads", json_sprintf("%d", s->threads));
    json_array_append_new(list, json_string("--quiet"));
    return list;
}

static bool is_busy(nf_suggester *s) {
    pthread_mutex_lock(&s->mutex);
    bool busy = strcmp(s->state, "running") == 0;
    pthread_mutex_unlock(&s->mutex);
    return busy;
}

nerfit_status nf_suggester_start(nf_suggester *s, const nf_project *p, const char *model,
                                 const char *labels, nerfit_error *err) {
    bool known;
    if (is_busy(s)) return NERFIT_OK;
    NF_TRY(write_texts(s, p, &known, err));
    if (s->started) pthread_join(s->thread, NULL);
    s->started = false;
    json_decref(s->arguments);
    char *copy = strdup(model);
    if (!(s->arguments = arguments_of(s, model, labels, known)) || !copy) {
        free(copy);
        return nf_no_memory(err, 0);
    }
    free(s->model);
    s->model = copy;
    s->state = "running";
    s->message[0] = '\0';
    s->started = pthread_create(&s->thread, NULL, rank, s) == 0;
    if (s->started) return NERFIT_OK;
    s->state = "failed";
    return nf_fail(err, NERFIT_IO, "a thread cannot be started");
}

bool nf_suggester_is_due(nf_suggester *s, const nf_project *p, const char *model) {
    size_t left = 0, i;
    const json_t *one;
    if (is_busy(s)) return false;
    size_t ranked = json_array_size(s->ranking);
    if (!s->model || strcmp(s->model, model) != 0) return true;
    json_array_foreach(s->ranking, i, one) {
        const nf_item *text =
            nf_project_text(p, (size_t)json_integer_value(json_array_get(one, 0)));
        left += text && text->status == NF_TEXT_OPEN;
    }
    return left < ranked && left <= ranked / 2;
}

json_t *nf_suggester_ranking(nf_suggester *s) {
    pthread_mutex_lock(&s->mutex);
    json_t *ranking = json_deep_copy(s->ranking);
    pthread_mutex_unlock(&s->mutex);
    return ranking;
}

json_t *nf_suggester_answer(nf_suggester *s) {
    pthread_mutex_lock(&s->mutex);
    bool failed = strcmp(s->state, "failed") == 0;
    json_t *answer =
        json_pack("{s:s, s:I, s:s?}", "state", s->state, "texts",
                  (json_int_t)json_array_size(s->ranking), "error", failed ? s->message : NULL);
    pthread_mutex_unlock(&s->mutex);
    return answer;
}
