/* POST /predict: {"inputs": text or list, ...} -> the entities of each. */
#include "serve/predict.h"

#include <string.h>

#include "base/error.h"
#include "serve/group.h"
#include "serve/label_studio.h"
#include "serve/server.h"

/* ---------------------------------------------------------------- inputs */

/* "inputs" as a list of texts; *single: it is one text. NULL: the reply says what is wrong. */
static const json_t *inputs_of(nf_request *r, const json_t *body, bool *single) {
    const json_t *inputs = json_object_get(body, "inputs"), *text;
    size_t i, most = r->server->options.max_client_batch_size;
    *single = json_is_string(inputs);
    if (*single) return inputs;
    if (!json_is_array(inputs)) {
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "\"inputs\" is %s; expected a text or a list of texts",
                        inputs ? "something else" : "missing");
        return NULL;
    }
    if (json_array_size(inputs) > most) {
        nf_request_fail(r, NF_FAILURE_TOO_LARGE, "batch size %zu > maximum allowed batch size %zu",
                        json_array_size(inputs), most);
        return NULL;
    }
    json_array_foreach(inputs, i, text) {
        if (json_is_string(text)) continue;
        nf_request_fail(r, NF_FAILURE_VALIDATION, "\"inputs\": item %zu is no text", i);
        return NULL;
    }
    return inputs;
}

static void add_inputs(nf_group *g, const json_t *inputs, bool single) {
    size_t i;
    const json_t *text;
    if (single) nf_group_add(g, json_string_value(inputs), json_string_length(inputs));
    json_array_foreach(inputs, i, text)
        nf_group_add(g, json_string_value(text), json_string_length(text));
}

/* The texts' results as they are, or in a list. */
static void join(nf_group *g, bool single) {
    nf_str *out = &g->request->reply.body;
    if (!single) nf_str_append_char(out, '[');
    nf_group_join(g);
    nf_str_append_text(out, single ? "\n" : "]\n");
}

static void finish_single(nf_group *g) {
    join(g, true);
}

static void finish_list(nf_group *g) {
    join(g, false);
}

/* ---------------------------------------------------------------- the routes */

static void format_entities(nf_group *g, const nf_job *job, const nf_job_result *result,
                            nf_str *out) {
    nf_entities_append(out, job->text, result->prediction, NULL, g->asked.unit);
}

static void format_embedding(nf_group *g, const nf_job *job, const nf_job_result *result,
                             nf_str *out) {
    (void)g;
    (void)job;
    nf_str_append_char(out, '[');
    for (size_t i = 0; i < result->embedding_size; i++)
        nf_str_appendf(out, "%s%.8g", i ? ", " : "", (double)result->embedding[i]);
    nf_str_append_char(out, ']');
}

/* Starts the texts; `asked` and `body` are taken over. */
static void start(nf_request *r, json_t *body, nf_asked asked,
                  void (*format)(nf_group *, const nf_job *, const nf_job_result *, nf_str *)) {
    bool single = false;
    const json_t *inputs = inputs_of(r, body, &single);
    nf_group *g = NULL;
    if (inputs) {
        g = nf_group_new(r, asked, body, single ? 1 : json_array_size(inputs));
    } else {
        nf_call_unref(asked.call);
        json_decref(body);
    }
    if (!g) {
        nf_request_done(r);
        return;
    }
    g->format = format;
    g->finish = single ? finish_single : finish_list;
    add_inputs(g, inputs, single);
    nf_group_start(g);
}

/* The body, an object; NULL: the reply says what is wrong. */
static json_t *object_of(nf_request *r) {
    json_t *body = nf_request_json(r);
    if (!body || json_is_object(body)) return body;
    json_decref(body);
    nf_request_fail(r, NF_FAILURE_VALIDATION, "the body is no object: {\"inputs\": ...}");
    return NULL;
}

void nf_route_predict(nf_request *r) {
    json_t *body = object_of(r);
    nf_asked asked;
    nerfit_error error;
    if (body && json_object_get(body, "tasks")) {
        nf_label_studio_predict(r, body);
        return;
    }
    if (body && !nf_asked_read(&asked, r, body, NULL, &error)) {
        nf_request_fail_as(r, &error);
        json_decref(body);
        body = NULL;
    }
    if (body)
        start(r, body, asked, format_entities);
    else
        nf_request_done(r);
}

void nf_route_embed(nf_request *r) {
    nf_served *encoder = nf_models_find(&r->server->models, NF_SERVED_ENCODER, NULL);
    json_t *body = object_of(r);
    nf_asked asked = {0};
    if (body && !encoder)
        nf_request_fail(r, NF_FAILURE_BACKEND,
                        "no sentence encoder is served; nerfit serve --encoder FOLDER");
    if (body && encoder && !(asked.call = nf_call_new(encoder)))
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
    if (asked.call) {
        start(r, body, asked, format_embedding);
    } else {
        json_decref(body);
        nf_request_done(r);
    }
}

/* ---------------------------------------------------------------- tokens */

void nf_route_tokenize(nf_request *r) {
    json_t *body = object_of(r);
    bool single = false;
    const json_t *inputs = body ? inputs_of(r, body, &single) : NULL;
    const char *name = r->model ? r->model : json_string_value(json_object_get(body, "model"));
    nf_served *model = nf_models_find(&r->server->models, NF_SERVED_TAGGER, name);
    nf_str out = {0};
    nerfit_error error;
    nerfit_status status = NERFIT_OK;
    if (inputs && !model)
        nf_request_fail(r, NF_FAILURE_VALIDATION, "there is no model \"%s\"; GET /info lists them",
                        name ? name : "");
    size_t count = !inputs || !model ? 0 : single ? 1 : json_array_size(inputs);
    if (!single && model) nf_str_append_char(&out, '[');
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        const json_t *text = single ? inputs : json_array_get(inputs, i);
        char *json;
        status = nf_served_tokenize(model, json_string_value(text), json_string_length(text), &json,
                                    &error);
        if (status != NERFIT_OK) break;
        if (i) nf_str_append_text(&out, ", ");
        nf_str_append_text(&out, json);
        nerfit_free(json);
    }
    if (inputs && model) {
        nf_str_append_text(&out, single ? "\n" : "]\n");
        if (status != NERFIT_OK)
            nf_request_fail_as(r, &error);
        else if (out.failed)
            nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
        else
            r->reply.body = out, out = (nf_str){0};
    }
    nf_str_free(&out);
    json_decref(body);
}
