/* Tasks come with the project's labelling configuration, in XML; regions go back in its names, with
 * offsets of UTF-16, as JavaScript counts. */
#include "serve/label_studio.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "serve/group.h"
#include "serve/project/hooks.h"
#include "serve/server.h"

/* ---------------------------------------------------------------- the configuration */

/* Of the first <Labels> of a <Text>: what regions call them, where tasks have the text, and which
 * labels there are. */
typedef struct label_config {
    nf_arena arena;
    const char *from_name, *to_name, *field;
    json_t *labels; /* texts */
    bool inside;    /* of that <Labels> */
    bool failed;    /* out of memory, or an entity of the document's own */
    XML_Parser parser;
} label_config;

static const char *attribute(label_config *c, const XML_Char **list, const char *name) {
    for (; list[0]; list += 2)
        if (strcmp(list[0], name) == 0) {
            const char *copy = nf_arena_strdup(&c->arena, list[1]);
            if (!copy) c->failed = true;
            return copy;
        }
    return NULL;
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes) {
    label_config *c = user;
    if (strcmp(name, "Labels") == 0 && !c->from_name) {
        c->from_name = attribute(c, attributes, "name");
        c->to_name = attribute(c, attributes, "toName");
        c->inside = true;
    } else if (strcmp(name, "Label") == 0 && c->inside) {
        const char *value = attribute(c, attributes, "value");
        if (value && json_array_append_new(c->labels, json_string(value)) != 0) c->failed = true;
    } else if (strcmp(name, "Text") == 0 && !c->field) {
        const char *value = attribute(c, attributes, "value");
        if (value && value[0] == '$') c->field = value + 1;
    }
}

static void on_end(void *user, const XML_Char *name) {
    label_config *c = user;
    if (strcmp(name, "Labels") == 0) c->inside = false;
}

static void on_entity(void *user, const XML_Char *name, int is_parameter, const XML_Char *value,
                      int size, const XML_Char *base, const XML_Char *system,
                      const XML_Char *public_id, const XML_Char *notation) {
    label_config *c = user;
    (void)name, (void)is_parameter, (void)value, (void)size;
    (void)base, (void)system, (void)public_id, (void)notation;
    c->failed = true;
    XML_StopParser(c->parser, XML_FALSE);
}

static void config_clear(label_config *c) {
    nf_arena_free(&c->arena);
    json_decref(c->labels);
}

static void config_free(void *user) {
    if (user) config_clear(user);
    free(user);
}

/* False: the reply says what is wrong. */
static bool config_read(label_config *c, nf_request *r, const char *text) {
    *c = (label_config){.labels = json_array(), .parser = XML_ParserCreate("UTF-8")};
    if (!c->labels || !c->parser) {
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
        if (c->parser) XML_ParserFree(c->parser);
        return false;
    }
    XML_SetUserData(c->parser, c);
    XML_SetElementHandler(c->parser, on_start, on_end);
    XML_SetEntityDeclHandler(c->parser, on_entity);
    bool read = XML_Parse(c->parser, text, (int)strlen(text), XML_TRUE) == XML_STATUS_OK;
    if (!read || c->failed)
        nf_request_fail(r, NF_FAILURE_VALIDATION, "label_config is not valid XML (line %lu)",
                        XML_GetCurrentLineNumber(c->parser));
    else if (!c->from_name || !c->to_name || !c->field)
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "label_config has no <Labels name toName> with a <Text value=\"$...\">");
    XML_ParserFree(c->parser);
    return r->reply.status == 0;
}

static bool has_label(const json_t *labels, const char *name) {
    size_t i;
    const json_t *label;
    json_array_foreach(labels, i,
                       label) if (strcmp(json_string_value(label), name) == 0) return true;
    return false;
}

/* ---------------------------------------------------------------- predictions */

/* NULL: the reply says that there is none. */
static nf_served *model_of(nf_request *r) {
    nf_served *model = nf_models_find(&r->server->models, NF_SERVED_TAGGER, r->model);
    if (!model)
        nf_request_fail(r, NF_FAILURE_VALIDATION, "there is no model%s%s",
                        r->model ? " called " : " yet", r->model ? r->model : "");
    return model;
}

/* "alarm-3": its name and how often it has been loaded. */
static json_t *version_of(nf_served *served) {
    nf_generation *g = nf_served_acquire(served);
    json_t *version = json_sprintf("%s-%d", served->name, g ? g->number : 0);
    nf_generation_release(g);
    return version;
}

static void append_region(nf_str *out, const label_config *c, nf_unit_place *at, const nf_job *job,
                          const nerfit_entity *e, size_t number) {
    size_t start = nf_unit_offset(at, e->byte_start, e->start);
    size_t end = nf_unit_offset(at, e->byte_end, e->end);
    nf_str_appendf(out,
                   "{\"id\": \"nerfit-%zu-%zu\", \"type\": \"labels\", \"from_name\": ", job->index,
                   number);
    nf_str_append_json(out, c->from_name, strlen(c->from_name));
    nf_str_append_text(out, ", \"to_name\": ");
    nf_str_append_json(out, c->to_name, strlen(c->to_name));
    nf_str_appendf(out, ", \"score\": %.4f, \"value\": {\"start\": %zu, \"end\": %zu, \"text\": ",
                   e->score, start, end);
    nf_str_append_json(out, job->text + e->byte_start, e->byte_end - e->byte_start);
    nf_str_append_text(out, ", \"labels\": [");
    nf_str_append_json(out, e->label, strlen(e->label));
    nf_str_append_text(out, "]}}");
}

/* A task's prediction, but for its version; the score is that of the least certain region. */
static void format(nf_group *g, const nf_job *job, const nf_job_result *result, nf_str *out) {
    const label_config *c = g->user;
    const nerfit_prediction *p = result->prediction;
    nf_unit_place at = {.unit = NF_UNIT_UTF16, .text = job->text};
    double score = 1.0;
    size_t n = 0;
    nf_str_append_text(out, "{\"result\": [");
    for (size_t i = 0; i < p->n_entities; i++) {
        if (!has_label(c->labels, p->entities[i].label)) continue; /* /setup has told of them */
        if (n) nf_str_append_text(out, ", ");
        append_region(out, c, &at, job, &p->entities[i], n++);
        if (p->entities[i].score < score) score = p->entities[i].score;
    }
    nf_str_appendf(out, "], \"score\": %.4f", score);
}

static void finish(nf_group *g) {
    nf_str *out = &g->request->reply.body;
    json_t *version = version_of(g->asked.call->model);
    const char *name = version ? json_string_value(version) : "";
    nf_str_append_text(out, "{\"results\": [");
    for (size_t i = 0; i < g->count; i++) {
        if (i) nf_str_append_text(out, ", ");
        nf_str_append(out, nf_str_text(&g->outs[i]), g->outs[i].length);
        nf_str_append_text(out, ", \"model_version\": ");
        nf_str_append_json(out, name, strlen(name));
        nf_str_append_char(out, '}');
    }
    nf_str_append_text(out, "], \"model_version\": ");
    nf_str_append_json(out, name, strlen(name));
    nf_str_append_text(out, "}\n");
    json_decref(version);
}

/* The texts of the tasks into the group; false: the reply says which one has none. */
static bool add_tasks(nf_group *g, const label_config *c, const json_t *tasks) {
    size_t i;
    const json_t *task;
    json_array_foreach(tasks, i, task) {
        const json_t *text = json_object_get(json_object_get(task, "data"), c->field);
        if (!json_is_string(text)) {
            nf_request_fail(g->request, NF_FAILURE_VALIDATION,
                            "tasks[%zu]: data has no text \"%s\"", i, c->field);
            return false;
        }
        nf_group_add(g, json_string_value(text), json_string_length(text));
    }
    return true;
}

/* Models without labels of their own look for the configuration's. */
static bool asked_of(nf_asked *asked, nf_request *r, const label_config *c) {
    nf_served *model = model_of(r);
    nerfit_error error;
    *asked = (nf_asked){0};
    if (!model) return false;
    nf_generation *g = nf_served_acquire(model);
    bool own = nerfit_model_label_count(g->model) > 0;
    nf_generation_release(g);
    json_t *object = own ? json_object() : json_pack("{s:O}", "labels", c->labels);
    bool read = object && nf_asked_read(asked, r, object, NULL, &error);
    if (!read) nf_request_fail(r, NF_FAILURE_VALIDATION, "%s", object ? error.text : "no memory");
    json_decref(object);
    return read;
}

void nf_label_studio_predict(nf_request *r, json_t *body) {
    const json_t *tasks = json_object_get(body, "tasks");
    const char *text = json_string_value(json_object_get(body, "label_config"));
    size_t n = json_array_size(tasks), most = r->server->options.max_client_batch_size;
    label_config *c = calloc(1, sizeof *c);
    nf_asked asked = {0};
    nf_group *g = NULL;
    bool read = false;
    if (!c)
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
    else if (!json_is_array(tasks) || !text)
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "expected \"tasks\", a list, and \"label_config\", a text");
    else if (n > most)
        nf_request_fail(r, NF_FAILURE_TOO_LARGE, "batch size %zu > maximum allowed batch size %zu",
                        n, most);
    else
        read = config_read(c, r, text) && asked_of(&asked, r, c);
    if (read) {
        g = nf_group_new(r, asked, body, n);
        body = NULL;
    }
    json_decref(body);
    if (!g) {
        config_free(c);
        nf_request_done(r);
        return;
    }
    g->user = c;
    g->release = config_free;
    g->format = format;
    g->finish = finish;
    if (add_tasks(g, c, tasks)) {
        nf_group_start(g);
        return;
    }
    nf_group_free(g);
    nf_request_done(r);
}

/* ---------------------------------------------------------------- the other routes */

/* What the model finds and the configuration has no place for. */
static json_t *left_out(nf_served *model, const label_config *c) {
    json_t *out = json_array();
    nf_generation *g = nf_served_acquire(model);
    json_t *types = nf_served_types(g->model);
    nf_generation_release(g);
    size_t i;
    json_t *type;
    json_array_foreach(types, i, type) if (!has_label(c->labels, json_string_value(type)))
        json_array_append(out, type);
    json_decref(types);
    return out;
}

/* A project gets the configuration's labels, and its model those that have none of its own: it may be there only
 * in a moment. False: the reply says something already. */
static bool set_up_project(nf_request *r, const label_config *c) {
    nf_project *p = nf_hook_project(r);
    nf_served *model = nf_models_of_project(&r->server->models);
    nerfit_error error;
    if (!p) return true;
    if (nf_project_add_labels(p, c->labels, &error) != NERFIT_OK)
        nf_request_fail_as(r, &error);
    else if (r->model || !nf_models_find(&r->server->models, NF_SERVED_TAGGER, NULL))
        nf_request_reply_json(
            r, json_pack("{s:o, s:[]}", "model_version", version_of(model), "left_out"));
    else
        return true;
    return false;
}

/* {"project": ..., "schema": the configuration, ...}: whether the model has its labels, and which of the
 * model's it has not, whose entities /predict leaves out. */
static void route_setup(nf_request *r) {
    json_t *body = nf_request_json(r);
    const char *schema = json_string_value(json_object_get(body, "schema"));
    label_config c = {0};
    nf_asked asked = {0};
    if (body && !schema)
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "expected \"schema\", the project's label_config");
    if (schema && config_read(&c, r, schema) && set_up_project(r, &c) && asked_of(&asked, r, &c))
        nf_request_reply_json(r, json_pack("{s:o, s:o}", "model_version",
                                           version_of(asked.call->model), "left_out",
                                           left_out(asked.call->model, &c)));
    nf_call_unref(asked.call);
    config_clear(&c);
    json_decref(body);
}

/* What happens in Label Studio: {"action": ...}. Without a project nothing here follows from it. */
static void route_webhook(nf_request *r) {
    json_t *body = nf_request_json(r);
    const char *action = json_string_value(json_object_get(body, "action"));
    if (body && !action)
        nf_request_fail(r, NF_FAILURE_VALIDATION, "expected \"action\", a text");
    else if (body && !nf_hook(r, action, body))
        nf_request_reply_json(r, json_pack("{s:s, s:b}", "action", action, "used", false));
    if (body && r->reply.status == 0) r->reply.status = 201;
    json_decref(body);
}

static void route_versions(nf_request *r) {
    nf_served *model = model_of(r);
    if (!model) return;
    nf_generation *g = nf_served_acquire(model);
    nf_request_reply_json(
        r, json_pack("{s:[o], s:s}", "versions", version_of(model), "model_dir", g->place.folder));
    nf_generation_release(g);
}

const nf_route nf_label_studio_routes[] = {
    {"POST", "/setup", NF_ROUTE_ASIDE, route_setup},
    {"POST", "/webhook", NF_ROUTE_ASIDE, route_webhook},
    {"POST", "/versions", NF_ROUTE_QUICK, route_versions},
    {"GET", "/versions", NF_ROUTE_QUICK, route_versions},
    {NULL, NULL, 0, NULL},
};
