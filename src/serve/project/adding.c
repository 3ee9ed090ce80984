/* POST /project/texts: texts that are pasted; and what files that come in have in common with them. */
#include "serve/project/adding.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/utf8.h"
#include "serve/project/routes.h"

nerfit_status nf_newcomers_make(nf_newcomers *n, size_t count, nerfit_error *err) {
    n->texts = calloc(count + 1, sizeof *n->texts);
    n->marks = calloc(count + 1, sizeof *n->marks);
    n->ids = calloc(count + 1, sizeof *n->ids);
    return n->texts && n->marks && n->ids ? NERFIT_OK : nf_no_memory(err, count * sizeof *n->texts);
}

void nf_newcomers_free(nf_newcomers *n) {
    for (size_t i = 0; i < n->count; i++) free(n->marks[i].items);
    free(n->texts);
    free(n->marks);
    free(n->ids);
}

nerfit_status nf_newcomers_take(nf_newcomers *n, const nf_project *p, nf_new_text text,
                                const json_t *entities, nf_unit unit, nerfit_error *err) {
    size_t i = n->count++;
    n->texts[i] = text;
    if (!entities) return NERFIT_OK;
    const nf_item item = {.text = (char *)(uintptr_t)text.text,
                          .size = text.size,
                          .length = nf_utf8_count(text.text, text.size)};
    return nf_marks_read(&n->marks[i], p, &item, entities, unit, err);
}

/* The entities of a text, if they are taken; place [n_texts] has each text's decision, counted from 1. */
static void decide(nf_newcomers *n, size_t i, nf_decision decision, nf_decision *decisions,
                   size_t *place) {
    size_t *at = &place[decision.text->id - 1];
    bool again = *at > 0;
    decision.marks = n->marks[i];
    if (!again) *at = ++n->annotated;
    nf_decision *own = &decisions[*at - 1];
    if (again && !nf_marks_same(&own->marks, &decision.marks)) n->contradicted++;
    if (!again || n->replaces) *own = decision;
}

/* The entities of texts that are new, and of others on which nobody has worked. */
static nerfit_status annotate(nf_newcomers *n, nf_project *p, size_t first_new,
                              nf_item_status status, nerfit_error *err) {
    nf_decision *decisions = calloc(n->count + 1, sizeof *decisions);
    size_t *place = calloc(p->n_texts + 1, sizeof *place);
    nerfit_status done =
        decisions && place ? NERFIT_OK : nf_no_memory(err, n->count * sizeof *decisions);
    for (size_t i = 0; i < n->count && done == NERFIT_OK; i++) {
        nf_item *text = nf_project_text(p, n->ids[i]);
        bool untouched = n->replaces || text->id >= first_new ||
                         (text->status == NF_TEXT_OPEN && text->marks.count == 0);
        if (n->marks[i].items && untouched)
            decide(n, i, (nf_decision){.text = text, .status = status, .notes = text->notes},
                   decisions, place);
    }
    if (done == NERFIT_OK) done = nf_project_decide(p, decisions, n->annotated, err);
    free(decisions);
    free(place);
    return done;
}

nerfit_status nf_newcomers_add(nf_newcomers *n, nf_project *p, nf_item_status status,
                               nerfit_error *err) {
    size_t first_new = p->n_texts + 1;
    NF_TRY(nf_project_add(p, n->texts, n->count, n->ids, &n->added, err));
    return annotate(n, p, first_new, status, err);
}

/* Texts, each a text or {"text": "...", "entities": [...]}. */
static nerfit_status read_texts(nf_newcomers *n, const nf_project *p, const json_t *list,
                                nf_unit unit, nerfit_error *err) {
    size_t i;
    const json_t *item;
    if (!json_is_array(list)) return nf_fail(err, NERFIT_ARGUMENT, "\"texts\" is no list");
    NF_TRY(nf_newcomers_make(n, json_array_size(list), err));
    json_array_foreach(list, i, item) {
        const json_t *text = json_is_object(item) ? json_object_get(item, "text") : item;
        const nf_new_text fresh = {.text = json_string_value(text),
                                   .size = json_string_length(text)};
        if (!fresh.size)
            return nf_fail(err, NERFIT_ARGUMENT, "\"texts\": item %zu is no text", i + 1);
        nerfit_status status =
            nf_newcomers_take(n, p, fresh, json_object_get(item, "entities"), unit, err);
        if (status != NERFIT_OK) return nf_fail_within(err, status, "\"texts\": item %zu", i + 1);
    }
    return NERFIT_OK;
}

static void reply_added(nf_request *r, const nf_project *p, const nf_newcomers *n) {
    json_t *ids = json_array();
    for (size_t i = 0; i < n->count; i++)
        json_array_append_new(ids, json_sprintf("%zu", n->ids[i]));
    nf_request_reply_json(r, json_pack("{s:I, s:I, s:o, s:I}", "added", (json_int_t)n->added,
                                       "repeated", (json_int_t)(n->count - n->added), "ids", ids,
                                       "revision", (json_int_t)p->revision));
}

void nf_route_texts_add(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nf_unit unit;
    nerfit_error error;
    nf_newcomers n = {0};
    if (!p || !nf_request_unit(r, &unit)) return;
    json_t *body = nf_request_object(r);
    if (!body) return;
    nerfit_status status = read_texts(&n, p, json_object_get(body, "texts"), unit, &error);
    if (status == NERFIT_OK) status = nf_newcomers_add(&n, p, NF_TEXT_OPEN, &error);
    if (status == NERFIT_OK)
        reply_added(r, p, &n);
    else
        nf_request_fail_change(r, &error);
    nf_newcomers_free(&n);
    json_decref(body);
}
