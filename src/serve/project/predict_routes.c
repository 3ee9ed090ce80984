/* POST /project/predict: what the project's model finds in its texts. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "serve/group.h"
#include "serve/project/answers.h"
#include "serve/project/routes.h"
#include "serve/project/trainer.h"
#include "serve/project/work.h"
#include "serve/server.h"

enum { MOST_TEXTS = 100 };

/* What the workers need, who must not look into the project. */
typedef struct prediction {
    json_t *model; /* of the answer */
    json_t *heads; /* [[id, revision], ...] */
    json_t *names; /* what the model calls a label -> what it is called now */
} prediction;

static void prediction_free(void *user) {
    prediction *p = user;
    json_decref(p->model);
    json_decref(p->heads);
    json_decref(p->names);
    free(p);
}

/* A model that was trained before a label was renamed knows it by its old name. */
static json_t *names_of(const nf_project *p, nf_served *served, const json_t *model) {
    json_t *names = json_object();
    const char *name = json_string_value(json_object_get(model, "run"));
    json_t *run = name ? nf_trainer_run(p->trainer, name, false) : NULL;
    uint64_t since =
        run ? (uint64_t)json_integer_value(json_object_get(run, "revision")) : UINT64_MAX;
    nf_generation *g = nf_served_acquire(served);
    json_t *types = nf_served_types(g->model);
    size_t i;
    const json_t *type;
    json_array_foreach(types, i, type) {
        const nf_label *label = nf_project_label_since(p, json_string_value(type), since);
        if (label) json_object_set_new(names, json_string_value(type), json_string(label->name));
    }
    /* models that read labels have those of the file */
    for (i = 0; i < p->n_labels && !run; i++)
        json_object_set_new(names, p->labels[i]->name, json_string(p->labels[i]->name));
    nf_generation_release(g);
    json_decref(types);
    json_decref(run);
    return names;
}

static void format(nf_group *g, const nf_job *job, const nf_job_result *result, nf_str *out) {
    const prediction *p = g->user;
    const json_t *head = json_array_get(p->heads, job->index);
    nf_str_appendf(out, "{\"id\": \"%lld\", \"revision\": %lld, \"entities\": ",
                   (long long)json_integer_value(json_array_get(head, 0)),
                   (long long)json_integer_value(json_array_get(head, 1)));
    nf_entities_append(out, job->text, result->prediction, p->names, g->asked.unit);
    nf_str_append_char(out, '}');
}

static void finish(nf_group *g) {
    const prediction *p = g->user;
    nf_str *out = &g->request->reply.body;
    char *model = nf_json_text(p->model, 0);
    nf_str_appendf(out, "{\"model\": %s, \"texts\": [", model ? model : "null");
    nf_group_join(g);
    nf_str_append_text(out, "]}\n");
    free(model);
}

/* The texts that "ids" names: their heads and words; false: the reply says what is wrong. */
static bool collect(nf_request *r, const nf_project *p, const json_t *ids, json_t *heads,
                    json_t *texts) {
    size_t i;
    const json_t *id;
    if (!json_is_array(ids) || json_array_size(ids) > MOST_TEXTS) {
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "\"ids\": expected a list of the numbers of texts, as \"12\", %d at most",
                        MOST_TEXTS);
        return false;
    }
    json_array_foreach(ids, i, id) {
        const char *number = json_string_value(id);
        const nf_item *text = nf_request_item(r, p, number ? number : "");
        if (!text) return false;
        json_array_append_new(
            heads, json_pack("[I, I]", (json_int_t)text->id, (json_int_t)text->revision));
        json_array_append_new(texts, json_stringn(text->text, text->size));
    }
    return true;
}

/* Starts the texts' tagging; `heads` and `texts` are taken over: a worker may be done with them before
 * this returns. */
static void start(nf_request *r, nf_project *p, nf_asked asked, json_t *heads, json_t *texts) {
    size_t count = json_array_size(texts);
    prediction *user = calloc(1, sizeof *user);
    nf_group *g = user ? nf_group_new(r, asked, texts, count) : NULL;
    if (!user) {
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
        nf_call_unref(asked.call);
        json_decref(texts);
    }
    if (!g) {
        free(user);
        json_decref(heads);
        nf_request_done(r);
        return;
    }
    user->model = nf_project_model_answer(p, r->server);
    user->heads = heads;
    user->names = names_of(p, asked.call->model, user->model);
    g->user = user;
    g->release = prediction_free;
    g->format = format;
    g->finish = finish;
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_array_get(texts, i);
        nf_group_add(g, json_string_value(text), json_string_length(text));
    }
    nf_group_start(g);
}

/* False: the reply says why there is no model. */
static bool has_model(nf_request *r, const nf_project *p) {
    nf_served *served = nf_models_of_project(&r->server->models);
    nf_generation *g = nf_served_acquire(served);
    nf_generation_release(g);
    if (g) return true;
    pthread_mutex_lock(&served->mutex);
    char *failure = served->failure ? strdup(served->failure) : NULL;
    pthread_mutex_unlock(&served->mutex);
    nf_request_fail(r, NF_FAILURE_BACKEND, "%s",
                    failure       ? failure
                    : p->n_labels ? "the model is being loaded"
                                  : "there is no model while there are no labels");
    free(failure);
    return false;
}

void nf_route_project_predict(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    json_t *heads = json_array(), *texts = json_array(), *options = json_object();
    nf_asked asked = {0};
    nf_unit unit;
    nerfit_error error;
    bool fine = body && nf_request_unit(r, &unit) && has_model(r, p) &&
                collect(r, p, json_object_get(body, "ids"), heads, texts);
    if (fine) {
        json_object_set_new(options, "model", json_string(NF_PROJECT_MODEL));
        json_object_set(options, "threshold", json_object_get(body, "threshold"));
        fine = nf_asked_read(&asked, r, options, NULL, &error);
        asked.unit = unit;
        if (!fine) nf_request_fail_as(r, &error);
    }
    json_decref(options);
    json_decref(body);
    if (fine) {
        start(r, p, asked, heads, texts);
    } else {
        json_decref(heads);
        json_decref(texts);
        nf_request_done(r);
    }
}
