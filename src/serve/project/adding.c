/* POST /project/texts: texts that are pasted. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "serve/project/answers.h"
#include "serve/project/routes.h"

typedef struct addition {
    nf_new_text *texts; /* [count] */
    nf_marks *marks;    /* [count] */
    size_t *ids;        /* [count] */
    size_t count;
} addition;

static void addition_free(addition *a) {
    for (size_t i = 0; i < a->count && a->marks; i++) free(a->marks[i].items);
    free(a->texts);
    free(a->marks);
    free(a->ids);
}

/* A text, or {"text": "...", "entities": [...]}. */
static nerfit_status read_text(addition *a, const nf_project *p, const json_t *given, nf_unit unit,
                               nerfit_error *err) {
    const json_t *text = json_is_object(given) ? json_object_get(given, "text") : given;
    const json_t *entities = json_object_get(given, "entities");
    size_t i = a->count++;
    if (!json_is_string(text) || !json_string_length(text))
        return nf_fail(err, NERFIT_ARGUMENT, "\"texts\": item %zu is no text", i + 1);
    a->texts[i] = (nf_new_text){.text = json_string_value(text), .size = json_string_length(text)};
    if (!entities) return NERFIT_OK;
    nf_item as_text = {.text = (char *)(uintptr_t)a->texts[i].text, .size = a->texts[i].size};
    as_text.length = nf_utf8_count(as_text.text, as_text.size);
    nerfit_status status = nf_marks_read(&a->marks[i], p, &as_text, entities, unit, err);
    return status == NERFIT_OK ? status : nf_fail_within(err, status, "\"texts\": item %zu", i + 1);
}

static nerfit_status read_texts(addition *a, const nf_project *p, const json_t *list, nf_unit unit,
                                nerfit_error *err) {
    size_t n = json_array_size(list), i;
    const json_t *item;
    if (!json_is_array(list)) return nf_fail(err, NERFIT_ARGUMENT, "\"texts\" is no list");
    a->texts = calloc(n + 1, sizeof *a->texts);
    a->marks = calloc(n + 1, sizeof *a->marks);
    a->ids = calloc(n + 1, sizeof *a->ids);
    if (!a->texts || !a->marks || !a->ids) return nf_no_memory(err, n);
    json_array_foreach(list, i, item) NF_TRY(read_text(a, p, item, unit, err));
    return NERFIT_OK;
}

nerfit_status nf_project_draft(nf_project *p, const size_t *ids, const nf_marks *marks,
                               size_t count, size_t first_new, nf_item_status status,
                               size_t *decided, nerfit_error *err) {
    nf_decision *decisions = calloc(count + 1, sizeof *decisions);
    if (!decisions) return nf_no_memory(err, count * sizeof *decisions);
    *decided = 0;
    for (size_t i = 0; i < count; i++) {
        nf_item *text = nf_project_text(p, ids[i]);
        bool untouched =
            text->id >= first_new || (text->status == NF_TEXT_OPEN && text->marks.count == 0);
        if (!marks[i].items || !untouched) continue;
        decisions[(*decided)++] =
            (nf_decision){.text = text, .status = status, .marks = marks[i], .notes = text->notes};
    }
    nerfit_status done = nf_project_decide(p, decisions, *decided, err);
    free(decisions);
    return done;
}

void nf_route_texts_add(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nf_unit unit;
    nerfit_error error;
    addition a = {0};
    size_t added = 0, decided;
    if (!p || !nf_request_unit(r, &unit)) return;
    json_t *body = nf_request_object(r), *ids = json_array();
    nerfit_status status = body ? NERFIT_OK : NERFIT_CANCELLED;
    size_t first_new = p->n_texts + 1;
    if (body) status = read_texts(&a, p, json_object_get(body, "texts"), unit, &error);
    if (status == NERFIT_OK) status = nf_project_add(p, a.texts, a.count, a.ids, &added, &error);
    if (status == NERFIT_OK)
        status =
            nf_project_draft(p, a.ids, a.marks, a.count, first_new, NF_TEXT_OPEN, &decided, &error);
    for (size_t i = 0; i < a.count && status == NERFIT_OK; i++)
        json_array_append_new(ids, json_sprintf("%zu", a.ids[i]));
    if (body && status != NERFIT_OK)
        nf_request_fail_change(r, &error);
    else if (body)
        nf_request_reply_json(r, json_pack("{s:I, s:I, s:O, s:I}", "added", (json_int_t)added,
                                           "repeated", (json_int_t)(a.count - added), "ids", ids,
                                           "revision", (json_int_t)p->revision));
    addition_free(&a);
    json_decref(ids);
    json_decref(body);
}
