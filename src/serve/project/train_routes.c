/* /project/train and /project/runs: teaching the model, and what came of it. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "serve/project/answers.h"
#include "serve/project/routes.h"
#include "serve/project/trainer.h"
#include "serve/project/work.h"
#include "serve/server.h"

enum { WANTED_ENTITIES = 10 };

void nf_route_training(nf_request *r) {
    nf_project *p = nf_request_project(r);
    if (p) nf_request_reply_json(r, nf_trainer_progress(p->trainer));
}

static void reply_start(nf_request *r, const nf_project *p, nerfit_status status,
                        const nerfit_error *error) {
    if (status == NERFIT_OK)
        nf_request_reply_json(r, nf_trainer_progress(p->trainer));
    else if (status == NERFIT_UNSUPPORTED)
        nf_request_fail(r, NF_FAILURE_CONFLICT, "%s", error->text);
    else
        nf_request_fail_change(r, error);
}

void nf_route_train(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    const char *round;
    nerfit_error error;
    if (body && nf_request_member(r, body, "round", &round)) {
        bool thorough = round && strcmp(round, "thorough") == 0;
        if (round && !thorough && strcmp(round, "quick") != 0)
            nf_request_fail(r, NF_FAILURE_VALIDATION, "\"round\": expected quick or thorough");
        else
            reply_start(r, p, nf_trainer_start(p->trainer, p, thorough, &error), &error);
    }
    json_decref(body);
}

void nf_route_train_cancel(nf_request *r) {
    nf_project *p = nf_request_project(r);
    if (!p) return;
    nf_trainer_cancel(p->trainer);
    nf_request_reply_json(r, nf_trainer_progress(p->trainer));
}

/* The body's "run"; NULL: the reply says what is wrong. Belongs to the body. */
static const char *run_of(nf_request *r, const json_t *body) {
    const char *run;
    if (!body || !nf_request_member(r, body, "run", &run)) return NULL;
    if (!run) nf_request_fail(r, NF_FAILURE_VALIDATION, "\"run\" is missing");
    return run;
}

void nf_route_train_resume(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    const char *run = run_of(r, body);
    nerfit_error error;
    if (run) reply_start(r, p, nf_trainer_resume(p->trainer, p, run, &error), &error);
    json_decref(body);
}

void nf_route_run_use(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    const char *run = run_of(r, body);
    nerfit_error error;
    if (run && nf_trainer_use(p->trainer, p, run, &error) != NERFIT_OK)
        nf_request_fail_change(r, &error);
    else if (run)
        nf_request_reply_json(r, nf_project_model_answer(p, r->server));
    json_decref(body);
}

void nf_route_run_forget(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    const char *run = run_of(r, body);
    nerfit_error error;
    nerfit_status status = run ? nf_trainer_forget(p->trainer, run, &error) : NERFIT_OK;
    if (status == NERFIT_UNSUPPORTED)
        nf_request_fail(r, NF_FAILURE_CONFLICT, "%s", error.text);
    else if (status != NERFIT_OK)
        nf_request_fail_change(r, &error);
    else if (run)
        nf_route_runs(r);
    json_decref(body);
}

/* How the model in use is used elsewhere: lines to copy. */
void nf_route_use(nf_request *r) {
    nf_project *p = nf_request_project(r);
    if (!p) return;
    nf_server *server = r->server;
    nf_generation *g = nf_served_acquire(nf_models_of_project(&server->models));
    if (!g || g->place.labels) {
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "there is no trained model yet");
    } else {
        const char *folder = g->place.folder, *host = server->options.host;
        bool v6 = strchr(host, ':') != NULL;
        json_t *curl = json_sprintf(
            "curl http://%s%s%s:%d/predict%s -d '{\"model\": \"" NF_PROJECT_MODEL
            "\", \"inputs\": \"...\"}'",
            v6 ? "[" : "", host, v6 ? "]" : "", server->port,
            server->options.key ? " -H \"Authorization: Bearer $NERFIT_API_KEY\"" : "");
        json_t *quoted = json_string(folder);
        char *literal = nf_json_text(quoted, JSON_ENCODE_ANY); /* Python takes it, too */
        nf_request_reply_json(r, json_pack("{s:s, s:o, s:o, s:o}", "folder", folder, "curl", curl,
                                           "python",
                                           json_sprintf("import nerfit\nmodel = nerfit.load(%s)\n"
                                                        "print(model.predict(\"...\"))",
                                                        literal ? literal : ""),
                                           "command", json_sprintf("nerfit serve '%s'", folder)));
        free(literal);
        json_decref(quoted);
    }
    nf_generation_release(g);
}

/* Labels of which a model has seen too little. */
static json_t *scarce(const nf_project *p) {
    nf_label_use *uses = nf_project_label_uses(p);
    json_t *list = uses ? json_array() : NULL;
    for (size_t i = 0; i < p->n_labels && list; i++)
        if (uses[i].accepted < WANTED_ENTITIES)
            json_array_append_new(list, json_pack("{s:s, s:I, s:i}", "label", p->labels[i]->name,
                                                  "entities", (json_int_t)uses[i].accepted,
                                                  "wanted", WANTED_ENTITIES));
    free(uses);
    return list;
}

/* F1 over the number of annotations. */
static json_t *curve_of(const json_t *runs) {
    static const char *const members[] = {"run", "round",      "annotations",
                                          "f1",  "n_held_out", "parts"};
    json_t *curve = json_array();
    size_t i;
    const json_t *run;
    json_array_foreach(runs, i, run) {
        json_t *point = json_object();
        if (!json_is_number(json_object_get(run, "f1"))) {
            json_decref(point);
            continue;
        }
        for (size_t m = 0; m < NF_COUNT(members); m++)
            json_object_set(point, members[m], json_object_get(run, members[m]));
        json_array_append_new(curve, point);
    }
    return curve;
}

void nf_route_runs(nf_request *r) {
    nf_project *p = nf_request_project(r);
    if (!p) return;
    json_t *runs = nf_trainer_runs(p->trainer);
    nf_request_reply_json(r, json_pack("{s:O, s:o, s:o}", "runs", runs, "curve", curve_of(runs),
                                       "scarce", scarce(p)));
    json_decref(runs);
}
