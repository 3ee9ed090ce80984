/* /project: what it is, what has changed; and all its routes. */
#include <string.h>

#include "base/error.h"
#include "serve/project/answers.h"
#include "serve/project/routes.h"
#include "serve/project/suggester.h"
#include "serve/project/trainer.h"
#include "serve/project/work.h"

enum { MOST_CHANGES = 1000 };

const nf_route nf_project_routes[] = {
    {"GET", "/project", NF_ROUTE_ASIDE, nf_route_project},
    {"PUT", "/project", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_project_set},
    {"GET", "/project/changes", NF_ROUTE_ASIDE, nf_route_changes},
    {"GET", "/project/labels", NF_ROUTE_ASIDE, nf_route_labels},
    {"POST", "/project/labels", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_label_set},
    {"POST", "/project/labels/order", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_label_order},
    {"POST", "/project/labels/rename", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_label_rename},
    {"POST", "/project/labels/delete", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_label_delete},
    {"GET", "/project/texts", NF_ROUTE_ASIDE, nf_route_texts},
    {"POST", "/project/texts", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_texts_add},
    {"GET", "/project/texts/", NF_ROUTE_ASIDE, nf_route_text},
    {"PUT", "/project/texts/", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_text_set},
    {"DELETE", "/project/texts/", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_text_delete},
    {"GET", "/project/next", NF_ROUTE_ASIDE, nf_route_next},
    {"POST", "/project/predict", NF_ROUTE_ASIDE | NF_ROUTE_WAITS, nf_route_project_predict},
    {"GET", "/project/training", NF_ROUTE_ASIDE, nf_route_training},
    {"POST", "/project/train", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_train},
    {"POST", "/project/train/cancel", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_train_cancel},
    {"POST", "/project/train/resume", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_train_resume},
    {"GET", "/project/runs", NF_ROUTE_ASIDE, nf_route_runs},
    {"POST", "/project/runs/use", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_run_use},
    {"GET", "/project/formats", NF_ROUTE_ASIDE, nf_route_formats},
    {"POST", "/project/import", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN | NF_ROUTE_FILE, nf_route_import},
    {"GET", "/project/export", NF_ROUTE_ASIDE, nf_route_export},
    {"POST", "/project/suggest", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_suggest},
    {"GET", "/project/runs/", NF_ROUTE_ASIDE, nf_route_run},
    {"GET", "/project/compare", NF_ROUTE_ASIDE, nf_route_compare},
    {"GET", "/project/thresholds", NF_ROUTE_ASIDE, nf_route_thresholds},
    {"GET", "/project/check", NF_ROUTE_ASIDE, nf_route_check},
    {"GET", "/project/use", NF_ROUTE_ASIDE, nf_route_use},
    {"POST", "/project/runs/forget", NF_ROUTE_ASIDE | NF_ROUTE_TOKEN, nf_route_run_forget},
    {NULL, NULL, 0, NULL},
};

static json_t *counts_of(const nf_project *p) {
    size_t texts = 0, entities = 0, by_status[NF_TEXT_STATUSES] = {0};
    for (size_t i = 0; i < p->n_texts; i++) {
        const nf_item *text = p->texts[i];
        if (text->deleted) continue;
        texts++;
        entities += text->marks.count;
        by_status[text->status]++;
    }
    json_t *counts =
        json_pack("{s:I, s:I}", "texts", (json_int_t)texts, "entities", (json_int_t)entities);
    for (int i = 0; i < NF_TEXT_STATUSES; i++)
        json_object_set_new(counts, nf_item_status_names[i],
                            json_integer((json_int_t)by_status[i]));
    return counts;
}

static void reply_project(nf_request *r, const nf_project *p) {
    nf_request_reply_json(r, json_pack("{s:s, s:s, s:b, s:I, s:o, s:o, s:O, s:o, s:o, s:o}", "name",
                                       p->name, "folder", p->folder, "nested", p->nested,
                                       "revision", (json_int_t)p->revision, "counts", counts_of(p),
                                       "labels", nf_labels_answer(p), "notices", p->notices,
                                       "model", nf_project_model_answer(p, r->server), "training",
                                       nf_trainer_progress(p->trainer), "suggest",
                                       nf_suggester_answer(p->suggester)));
}

void nf_route_project(nf_request *r) {
    nf_project *p = nf_request_project(r);
    if (p) reply_project(r, p);
}

/* The first text with overlapping entities; NULL: there is none. */
static const nf_item *overlapping(const nf_project *p) {
    for (size_t i = 0; i < p->n_texts; i++)
        if (!p->texts[i]->deleted && nf_marks_overlap(&p->texts[i]->marks)) return p->texts[i];
    return NULL;
}

void nf_route_project_set(nf_request *r) {
    nf_project *p = nf_request_project(r);
    json_t *body = p ? nf_request_object(r) : NULL;
    const char *name;
    bool nested = p && p->nested;
    nerfit_error error;
    if (body && nf_request_member(r, body, "name", &name) &&
        nf_request_flag(r, body, "nested", &nested)) {
        const nf_item *text = nested ? NULL : overlapping(p);
        if (text)
            nf_request_fail(r, NF_FAILURE_CONFLICT, "entities of text %zu overlap", text->id);
        else if (name && (!*name || strlen(name) > 200))
            nf_request_fail(r, NF_FAILURE_VALIDATION, "\"name\" has not 1 to 200 bytes");
        else if (nf_project_set(p, name, &nested, NULL, &error) != NERFIT_OK)
            nf_request_fail_change(r, &error);
        else
            reply_project(r, p);
    }
    json_decref(body);
}

void nf_route_suggest(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nerfit_error error;
    if (p && nf_project_suggest(p, r->server, true, &error) != NERFIT_OK)
        nf_request_fail_change(r, &error);
    else if (p)
        nf_request_reply_json(r, nf_suggester_answer(p->suggester));
}

void nf_route_changes(nf_request *r) {
    nf_project *p = nf_request_project(r);
    uint64_t since;
    if (!p || !nf_request_number(r, "since", 0, INT64_MAX, &since)) return;
    nf_project_use_idleness(p, r->server); /* a page that is open asks this every few seconds */
    json_t *texts = json_array();
    for (size_t i = 0; i < p->n_texts && texts; i++) {
        const nf_item *text = p->texts[i];
        if (text->revision <= since) continue;
        if (json_array_size(texts) == MOST_CHANGES) {
            json_decref(texts);
            texts = json_null();
            break;
        }
        json_array_append_new(
            texts, json_pack("{s:o, s:I, s:b}", "id", json_sprintf("%zu", text->id), "revision",
                             (json_int_t)text->revision, "deleted", text->deleted));
    }
    nf_request_reply_json(r, json_pack("{s:I, s:o, s:b, s:b}", "revision", (json_int_t)p->revision,
                                       "texts", texts, "labels", p->labels_revision > since,
                                       "project", p->settings_revision > since));
}
