#include "serve/project/work.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "serve/project/suggester.h"
#include "serve/project/trainer.h"

/* So many accepted texts more make a thorough training worth its time. */
enum { LEAST_NEW = 10 };
static const char FIRST_MODEL[] = "sentence-transformers/all-MiniLM-L6-v2";

/* A folder is remembered wherever the next service is started. */
static nerfit_status choose_encoder(nf_project *p, const char *given, nerfit_error *err) {
    char *folder = given && nf_directory_exists(given) ? realpath(given, NULL) : NULL;
    const char *chosen = folder ? folder : given ? given : p->encoder ? p->encoder : FIRST_MODEL;
    nerfit_status status = p->encoder && strcmp(p->encoder, chosen) == 0
                               ? NERFIT_OK
                               : nf_project_set(p, NULL, NULL, chosen, err);
    free(folder);
    return status;
}

nerfit_status nf_project_work(nf_project *p, struct nf_server *server, nerfit_error *err) {
    NF_TRY(choose_encoder(p, server->options.project_model, err));
    NF_TRY(nf_suggester_new(&p->suggester, p, server->options.machine.threads, err));
    return nf_trainer_new(&p->trainer, p, nf_models_of_project(&server->models),
                          server->options.machine.threads, err);
}

void nf_project_rest(nf_project *p) {
    if (!p) return;
    nf_trainer_free(p->trainer);
    nf_suggester_free(p->suggester);
    p->trainer = NULL;
    p->suggester = NULL;
}

nerfit_status nf_project_suggest(nf_project *p, const struct nf_server *server, bool always,
                                 nerfit_error *err) {
    nf_generation *g = nf_served_acquire(nf_models_of_project(&server->models));
    nerfit_status status = NERFIT_OK;
    if (g && (always || nf_suggester_is_due(p->suggester, p, g->place.folder)))
        status = nf_suggester_start(p->suggester, p, g->place.folder, g->place.labels, err);
    nf_generation_release(g);
    return status;
}

/* Accepted texts of a run; of all that there are. */
static size_t annotations_of(const json_t *run) {
    return (size_t)json_integer_value(json_object_get(run, "annotations"));
}

/* Whether some other training has begun already, and how many texts the last thorough one has seen, whatever
 * became of it. */
static bool look_back(const nf_project *p, size_t *seen) {
    json_t *runs = nf_trainer_runs(p->trainer);
    size_t i, n = json_array_size(runs);
    const json_t *run;
    *seen = 0;
    json_array_foreach(runs, i, run) {
        const char *round = json_string_value(json_object_get(run, "round"));
        if (round && strcmp(round, "thorough") == 0) *seen = annotations_of(run);
    }
    json_decref(runs);
    return n > 0;
}

void nf_project_use_idleness(nf_project *p, const struct nf_server *server) {
    size_t seen;
    nerfit_error error;
    double wait = server->options.idle_seconds;
    if (wait <= 0.0 || p->changed <= 0.0 || nf_clock_now() - p->changed < wait ||
        nf_trainer_is_busy(p->trainer))
        return;
    size_t accepted = nf_project_count_accepted(p);
    if (accepted < LEAST_NEW || !look_back(p, &seen) || accepted < seen + LEAST_NEW) return;
    if (nf_trainer_start(p->trainer, p, true, &error) != NERFIT_OK) {
        nf_log_warning(&p->log, "%s", error.text);
        p->changed = 0.0; /* until somebody changes something again */
    }
}

/* The run whose best/ this is; NULL: none. */
static json_t *run_of(const nf_project *p, const char *folder) {
    nf_str place = {0};
    nf_str_appendf(&place, "%s/runs/", p->folder);
    bool ours = !place.failed && strncmp(folder, place.data, place.length) == 0;
    const char *name = ours ? folder + place.length : NULL, *end = ours ? strchr(name, '/') : NULL;
    nf_str_free(&place);
    return end ? json_stringn(name, (size_t)(end - name)) : NULL;
}

json_t *nf_project_model_answer(const nf_project *p, const struct nf_server *server) {
    nf_served *served = nf_models_of_project(&server->models);
    nf_generation *g = nf_served_acquire(served);
    pthread_mutex_lock(&served->mutex);
    json_t *error = served->failure ? json_string(served->failure) : json_null();
    bool loading = served->place.folder &&
                   (!g || strcmp(g->place.folder, served->place.folder) != 0) && !served->failure;
    bool described = !served->place.labels || p->n_labels;
    pthread_mutex_unlock(&served->mutex);
    json_t *run = g ? run_of(p, g->place.folder) : NULL;
    const char *state = loading && described ? "loading"
                        : g                  ? "ready"
                        : described          ? "failed"
                                             : "none";
    json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "state", state, "kind",
                               run ? "trained" : "zero_shot", "name", NF_PROJECT_MODEL, "encoder",
                               p->encoder, "generation", g ? g->number : 0, "error", error);
    json_object_set_new(answer, "run", run ? run : json_null());
    nf_generation_release(g);
    return answer;
}
