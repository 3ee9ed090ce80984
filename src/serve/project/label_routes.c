/* /project/labels: what there is to annotate. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "serve/project/answers.h"
#include "serve/project/routes.h"

void nf_route_labels(nf_request *r) {
    nf_project *p = nf_request_project(r);
    if (p) nf_request_reply_labels(r, p, NULL);
}

/* The label that a member names; NULL: the reply says what is wrong. */
static nf_label *label_of(nf_request *r, const nf_project *p, const json_t *body,
                          const char *member) {
    const char *name;
    if (!nf_request_member(r, body, member, &name)) return NULL;
    nf_label *label = name ? nf_project_label(p, name) : NULL;
    if (!name)
        nf_request_fail(r, NF_FAILURE_VALIDATION, "\"%s\" is missing", member);
    else if (!label)
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "there is no label \"%.200s\"", name);
    return label;
}

/* null takes a look away, a missing member leaves it. */
static const char *look_of(const json_t *body, const char *member, const char *given) {
    return json_is_null(json_object_get(body, member)) ? "" : given;
}

void nf_route_label_set(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    const char *name, *description, *color, *shortcut;
    bool create = false;
    nerfit_error error;
    if (body && nf_request_member(r, body, "name", &name) &&
        nf_request_member(r, body, "description", &description) &&
        nf_request_member(r, body, "color", &color) &&
        nf_request_member(r, body, "shortcut", &shortcut) &&
        nf_request_flag(r, body, "create", &create)) {
        if (!name)
            nf_request_fail(r, NF_FAILURE_VALIDATION, "\"name\" is missing");
        else if (create && nf_project_label(p, name))
            nf_request_fail(r, NF_FAILURE_CONFLICT, "there is a label \"%.200s\"", name);
        else if (nf_project_set_label(p, name, description, look_of(body, "color", color),
                                      look_of(body, "shortcut", shortcut), &error) != NERFIT_OK)
            nf_request_fail_change(r, &error);
        else
            nf_request_reply_labels(r, p, NULL);
    }
    json_decref(body);
}

/* The labels that a list names, each once: [n_labels]; NULL: the reply says what is wrong. */
static nf_label **order_of(nf_request *r, const nf_project *p, const json_t *names) {
    nf_label **order = calloc(p->n_labels + 1, sizeof *order);
    size_t n = json_array_size(names), i, k;
    const json_t *name;
    bool fine = order && json_is_array(names) && n == p->n_labels;
    if (fine) json_array_foreach(names, i, name) {
            order[i] = json_is_string(name) ? nf_project_label(p, json_string_value(name)) : NULL;
            for (k = 0; k < i; k++) fine = fine && order[k] != order[i];
            fine = fine && order[i];
        }
    if (fine) return order;
    free(order);
    nf_request_fail(r, NF_FAILURE_VALIDATION, "\"names\" is no list of all labels");
    return NULL;
}

void nf_route_label_order(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    nf_label **order = body ? order_of(r, p, json_object_get(body, "names")) : NULL;
    nerfit_error error;
    if (order && nf_project_order_labels(p, order, &error) != NERFIT_OK)
        nf_request_fail_change(r, &error);
    else if (order)
        nf_request_reply_labels(r, p, NULL);
    free(order);
    json_decref(body);
}

static void reply_effect(nf_request *r, const nf_project *p, nf_label_effect effect, bool applied,
                         bool merges) {
    nf_request_reply_labels(r, p,
                            json_pack("{s:b, s:I, s:I, s:I, s:b}", "applied", applied, "entities",
                                      (json_int_t)effect.entities, "texts",
                                      (json_int_t)effect.texts, "lost", (json_int_t)effect.lost,
                                      "merges", merges));
}

void nf_route_label_rename(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    const char *to = NULL;
    bool merge = false, preview = false;
    nerfit_error error;
    nf_label *label = body ? label_of(r, p, body, "from") : NULL;
    if (label && nf_request_member(r, body, "to", &to) &&
        nf_request_flag(r, body, "merge", &merge) &&
        nf_request_flag(r, body, "preview", &preview)) {
        const nf_label *into = to ? nf_project_label(p, to) : NULL;
        nf_label_effect effect = nf_project_label_effect(p, label, into);
        if (!to || into == label)
            nf_request_fail(r, NF_FAILURE_VALIDATION, "\"to\" is %s",
                            to ? "the name that it has" : "missing");
        else if (into && !merge && !preview)
            nf_request_fail(r, NF_FAILURE_CONFLICT,
                            "there is a label \"%.200s\"; with \"merge\": true one is made of both",
                            to);
        else if (!preview && nf_project_rename_label(p, label, to, &error) != NERFIT_OK)
            nf_request_fail_change(r, &error);
        else
            reply_effect(r, p, effect, !preview, into != NULL);
    }
    json_decref(body);
}

void nf_route_label_delete(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    bool preview = false;
    nerfit_error error;
    nf_label *label = body ? label_of(r, p, body, "name") : NULL;
    if (label && nf_request_flag(r, body, "preview", &preview)) {
        nf_label_effect effect = nf_project_label_effect(p, label, NULL);
        if (!preview && nf_project_delete_label(p, label, &error) != NERFIT_OK)
            nf_request_fail_change(r, &error);
        else
            reply_effect(r, p, effect, !preview, false);
    }
    json_decref(body);
}
