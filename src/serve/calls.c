#include "serve/calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "serve/server.h"

static const char *const units[] = {"codepoint", "utf16", "byte"};

/* ---------------------------------------------------------------- members */

static bool read_unit(nf_unit *unit, const json_t *value, nerfit_error *error) {
    const char *name = json_string_value(value);
    if (!value) return true;
    for (size_t i = 0; name && i < NF_COUNT(units); i++)
        if (strcmp(units[i], name) == 0) return *unit = (nf_unit)i, true;
    nf_fail(error, NERFIT_ARGUMENT, "\"offsets\" is not one of codepoint, utf16, byte");
    return false;
}

bool nf_asked_flag(bool *flag, const json_t *object, const char *name, nerfit_error *error) {
    const json_t *value = json_object_get(object, name);
    if (!value) return true;
    *flag = json_is_true(value);
    if (json_is_boolean(value)) return true;
    nf_fail(error, NERFIT_ARGUMENT, "\"%s\" is neither true nor false", name);
    return false;
}

static bool read_labels(nf_call *call, const json_t *labels, nerfit_error *error) {
    size_t n = json_array_size(labels), i;
    const json_t *label;
    if (!labels || json_is_null(labels)) return true;
    if (!json_is_array(labels) || n == 0) {
        nf_fail(error, NERFIT_ARGUMENT, "\"labels\" is no list of labels: [\"person\", \"place\"]");
        return false;
    }
    if (!(call->labels = calloc(n, sizeof *call->labels)))
        return nf_no_memory(error, n * sizeof *call->labels), false;
    json_array_foreach(labels, i, label) {
        if (!(call->labels[i] = json_string_value(label))) {
            nf_fail(error, NERFIT_ARGUMENT, "\"labels\": item %zu is no text", i + 1);
            return false;
        }
    }
    call->options.labels = call->labels;
    call->options.n_labels = n;
    return true;
}

static bool read_threshold(nf_call *call, const json_t *threshold, nerfit_error *error) {
    size_t n = json_is_object(threshold) ? json_object_size(threshold) : 1, i = 0;
    const char *label;
    json_t *value;
    if (!threshold || json_is_null(threshold)) return true;
    if (!(call->thresholds = calloc(n + 1, sizeof *call->thresholds)))
        return nf_no_memory(error, n * sizeof *call->thresholds), false;
    if (json_is_number(threshold)) {
        call->thresholds[i++].threshold = json_number_value(threshold);
    } else {
        json_object_foreach((json_t *)(uintptr_t)threshold, label, value) {
            if (!json_is_number(value)) break;
            call->thresholds[i++] = (nerfit_threshold){label, json_number_value(value)};
        }
    }
    call->options.thresholds = call->thresholds;
    call->options.n_thresholds = i;
    if (i == n) return true;
    nf_fail(error, NERFIT_ARGUMENT,
            "\"threshold\" is neither a number nor numbers by label: {\"person\": 0.5}");
    return false;
}

/* ---------------------------------------------------------------- calls */

/* The members that make a call what it is, in an order that does not depend on the client's. */
static json_t *members_of(const json_t *object, const nf_asked *before) {
    static const char *const names[] = {"labels", "threshold", "nested", "multi_label",
                                        "characters"};
    json_t *members = json_object();
    for (size_t i = 0; i < NF_COUNT(names) && members; i++) {
        json_t *value = json_object_get(object, names[i]);
        if (!value && before) value = json_object_get(before->call->source, names[i]);
        if (value && json_object_set(members, names[i], value) != 0) {
            json_decref(members);
            members = NULL;
        }
    }
    return members;
}

static bool call_read(nf_call *call, nerfit_error *error) {
    const json_t *source = call->source;
    free(call->key);
    call->key = NULL;
    if (!source || !(call->key = nf_json_text(source, JSON_COMPACT | JSON_SORT_KEYS)))
        return nf_no_memory(error, 0), false;
    return read_labels(call, json_object_get(source, "labels"), error) &&
           read_threshold(call, json_object_get(source, "threshold"), error) &&
           nf_asked_flag(&call->options.nested, source, "nested", error) &&
           nf_asked_flag(&call->options.multi_label, source, "multi_label", error) &&
           nf_asked_flag(&call->options.characters, source, "characters", error);
}

static nf_served *model_of(const nf_request *r, const json_t *object, const nf_asked *before,
                           nerfit_error *error) {
    const json_t *named = json_object_get(object, "model");
    const char *name = named ? json_string_value(named) : NULL;
    if (named && !name) {
        nf_fail(error, NERFIT_ARGUMENT, "\"model\" is no text");
        return NULL;
    }
    if (!name && before) return before->call->model;
    if (!name) name = r->model;
    nf_served *model = nf_models_find(&r->server->models, NF_SERVED_TAGGER, name);
    if (!model)
        nf_fail(error, NERFIT_ARGUMENT, "there is no model%s%s; GET /info lists them",
                name ? " called " : " yet", name ? name : "");
    return model;
}

bool nf_asked_read(nf_asked *asked, nf_request *r, const json_t *object, const nf_asked *before,
                   nerfit_error *error) {
    *asked = (nf_asked){.unit = before ? before->unit : NF_UNIT_CODE_POINT};
    if (!read_unit(&asked->unit, json_object_get(object, "offsets"), error)) return false;
    nf_served *model = model_of(r, object, before, error);
    if (!model) return false;
    nf_call *call = nf_call_new(model);
    if (!call) return nf_no_memory(error, sizeof *call), false;
    call->source = members_of(object, before);
    if (!call_read(call, error)) {
        nf_call_unref(call);
        return false;
    }
    if (before && before->call->model == model && strcmp(before->call->key, call->key) == 0) {
        nf_call_unref(call);
        call = before->call;
        nf_call_ref(call);
    }
    asked->call = call;
    return true;
}

/* A value of the query: a number, true or false, or a list of names. */
static json_t *query_value(const char *name, const char *text) {
    double number;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    if (strcmp(name, "threshold") == 0 && nf_number_parse(text, &number)) return json_real(number);
    if (strcmp(name, "labels") != 0) return json_string(text);
    json_t *list = json_array();
    for (const char *at = text, *end; list && at; at = end ? end + 1 : NULL) {
        end = strchr(at, ',');
        size_t size = end ? (size_t)(end - at) : strlen(at);
        if (size) json_array_append_new(list, json_stringn(at, size));
    }
    return list;
}

bool nf_asked_of_query(nf_asked *asked, nf_request *r, nerfit_error *error) {
    static const char *const names[] = {"model",       "labels",     "threshold", "nested",
                                        "multi_label", "characters", "offsets"};
    json_t *object = json_object();
    for (size_t i = 0; i < NF_COUNT(names) && object; i++) {
        const char *text = nf_request_argument(r, names[i]);
        if (text) json_object_set_new(object, names[i], query_value(names[i], text));
    }
    bool read = object && nf_asked_read(asked, r, object, NULL, error);
    if (!object) nf_no_memory(error, 0);
    json_decref(object);
    return read;
}

/* ---------------------------------------------------------------- entities */

size_t nf_unit_offset(nf_unit_place *at, size_t byte, size_t code_point) {
    if (at->unit != NF_UNIT_UTF16) return at->unit == NF_UNIT_BYTE ? byte : code_point;
    if (byte < at->byte) at->byte = at->pairs = 0;
    for (; at->byte < byte; at->byte++) at->pairs += (unsigned char)at->text[at->byte] >= 0xF0;
    return code_point + at->pairs;
}

void nf_entities_append(nf_str *out, const char *text, const nerfit_prediction *p,
                        const json_t *names, nf_unit unit) {
    nf_unit_place at = {.unit = unit, .text = text};
    bool first = true;
    nf_str_append_char(out, '[');
    for (size_t i = 0; i < p->n_entities; i++) {
        const nerfit_entity *e = &p->entities[i];
        const char *label = names ? json_string_value(json_object_get(names, e->label)) : e->label;
        if (!label) continue;
        size_t start = nf_unit_offset(&at, e->byte_start, e->start);
        size_t end = nf_unit_offset(&at, e->byte_end, e->end);
        nf_str_appendf(out, "%s{\"start\": %zu, \"end\": %zu, \"label\": ", first ? "" : ", ",
                       start, end);
        nf_str_append_json(out, label, strlen(label));
        nf_str_append_text(out, ", \"text\": ");
        nf_str_append_json(out, text + e->byte_start, e->byte_end - e->byte_start);
        nf_str_appendf(out, ", \"score\": %.4f}", e->score);
        first = false;
    }
    nf_str_append_char(out, ']');
}
