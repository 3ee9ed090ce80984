/* /project/runs/RUN and beside it: what a training was worth, and what is wrong with annotations. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "serve/project/answers.h"
#include "serve/project/findings.h"
#include "serve/project/routes.h"
#include "serve/project/trainer.h"

/* ---------------------------------------------------------------- a run's files */

/* What the report says, but for its mistakes, which have a route of their own. */
static void reply_run(nf_request *r, const nf_project *p, json_t *run) {
    static const char *const members[] = {"confusion", "calibration", "thresholds",
                                          "best_threshold"};
    json_t *report = nf_trainer_report(p->trainer, run);
    json_object_set_new(run, "has_report", json_boolean(report));
    json_object_set_new(run, "scores",
                        report ? json_pack("{s:O, s:O}", "types", json_object_get(report, "types"),
                                           "micro", json_object_get(report, "micro"))
                               : json_null());
    for (size_t i = 0; i < NF_COUNT(members); i++) {
        json_t *value = json_object_get(report, members[i]);
        json_object_set_new(run, members[i], value ? json_incref(value) : json_null());
    }
    json_decref(report);
    nf_request_reply_json(r, json_incref(run));
}

/* The page that nerfit train wrote: it has its own style and no script, and is kept from everything. */
static void reply_page(nf_request *r, const nf_project *p, const json_t *run) {
    static const char policy[] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
                                 "sandbox; base-uri 'none'; form-action 'none'; "
                                 "frame-ancestors 'self'";
    nf_str path = nf_trainer_path(p->trainer, run, "model/report.html");
    nf_file file;
    if (path.failed || nf_file_open(&file, path.data, NULL) != NERFIT_OK) {
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "this training has no report");
    } else {
        nf_str_append(&r->reply.body, file.data, file.size);
        nf_file_close(&file);
        r->reply.content_type = "text/html; charset=utf-8";
        nf_request_set_header(r, "Content-Security-Policy", "%s", policy);
        nf_request_set_header(r, "Referrer-Policy", "no-referrer");
    }
    nf_str_free(&path);
}

/* The model's folder, under the project's name and the run's. */
static void reply_model(nf_request *r, const nf_project *p, const json_t *run) {
    char name[80], ending[40];
    nf_str best = nf_trainer_path(p->trainer, run, "model/best");
    nf_print(ending, sizeof ending, "-%s", json_string_value(json_object_get(run, "run")));
    nf_project_file_name(name, 60, p, ending);
    if (best.failed || !nf_directory_exists(best.data))
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "this training has no model");
    else
        nf_request_reply_folder(r, p, best.data, name);
    nf_str_free(&best);
}

/* ---------------------------------------------------------------- mistakes */

/* An entity of the report, whose offsets are code points, as an answer has it; null if there is none. */
static json_t *entity_of(const nf_project *p, const nf_item *text, const json_t *given,
                         uint64_t revision, nf_unit unit) {
    nf_given_mark m = nf_given_mark_of(given);
    if (!m.label || m.start < 0 || m.end < m.start || (size_t)m.end > text->length)
        return json_null();
    const nf_label *label = nf_project_label_since(p, m.label, revision);
    const nf_label gone = {.name = (char *)(uintptr_t)m.label};
    nf_mark mark = {(uint32_t)m.start, (uint32_t)m.end, label ? label : &gone};
    json_t *list = nf_marks_answer(text, &(nf_marks){&mark, 1}, unit);
    json_t *one = json_incref(json_array_get(list, 0));
    if (json_object_get(given, "score"))
        json_object_set(one, "score", json_object_get(given, "score"));
    json_decref(list);
    return one;
}

static void reply_mistakes(nf_request *r, const nf_project *p, const json_t *run, nf_unit unit) {
    json_t *report = nf_trainer_report(p->trainer, run), *answer = json_array();
    const json_t *held = json_object_get(run, "held_out"), *mistake;
    const json_t *list = json_object_get(json_object_get(report, "errors"), "list");
    uint64_t since = (uint64_t)json_integer_value(json_object_get(run, "revision"));
    size_t i;
    json_array_foreach(list, i, mistake) {
        json_int_t line = json_integer_value(json_object_get(mistake, "line"));
        const json_t *id = line > 0 ? json_array_get(held, (size_t)line - 1) : NULL;
        const nf_item *text = id ? nf_project_text(p, (size_t)json_integer_value(id)) : NULL;
        if (!text) continue; /* deleted since */
        json_array_append_new(
            answer,
            json_pack(
                "{s:O, s:o, s:I, s:b, s:s%, s:o, s:o}", "kind", json_object_get(mistake, "kind"),
                "id", json_sprintf("%zu", text->id), "revision", (json_int_t)text->revision,
                "changed", text->revision > since, "text", text->text, text->size, "gold",
                entity_of(p, text, json_object_get(mistake, "gold"), since, unit), "predicted",
                entity_of(p, text, json_object_get(mistake, "predicted"), since, unit)));
    }
    nf_request_reply_json(r, json_pack("{s:O}", "mistakes", answer));
    json_decref(answer);
    json_decref(report);
}

void nf_route_run(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nf_unit unit;
    if (!p || !nf_request_unit(r, &unit)) return;
    const char *rest = r->path + strlen(r->route->path), *slash = strchr(rest, '/');
    char name[32];
    nf_print(name, sizeof name, "%.*s", (int)(slash && slash - rest < 31 ? slash - rest : 31),
             rest);
    json_t *run = nf_trainer_run(p->trainer, name, true);
    if (!run)
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "there is no training \"%.40s\"", name);
    else if (!slash)
        reply_run(r, p, run);
    else if (strcmp(slash, "/report.html") == 0)
        reply_page(r, p, run);
    else if (strcmp(slash, "/mistakes") == 0)
        reply_mistakes(r, p, run, unit);
    else if (strcmp(slash, "/model.tar") == 0)
        reply_model(r, p, run);
    else
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "a training has no %.40s", slash);
    json_decref(run);
}

/* ---------------------------------------------------------------- two runs */

void nf_route_compare(nf_request *r) {
    nf_project *p = nf_request_project(r);
    if (!p) return;
    json_t *runs[2] = {NULL, NULL}, *reports[2] = {NULL, NULL}, *labels = json_object();
    json_t *rows = json_array(), *value;
    const char *label;
    bool fine = true;
    for (int i = 0; i < 2; i++) {
        const char *name = nf_request_argument(r, i ? "b" : "a");
        runs[i] = name ? nf_trainer_run(p->trainer, name, true) : NULL;
        fine = fine && runs[i];
        reports[i] = runs[i] ? nf_trainer_report(p->trainer, runs[i]) : NULL;
        json_object_update(labels, json_object_get(reports[i], "types"));
        json_object_del(runs[i], "texts");
    }
    json_object_foreach(labels, label, value) {
        json_t *row = json_pack("{s:s}", "label", label);
        for (int i = 0; i < 2; i++) {
            json_t *types = json_object_get(reports[i], "types"),
                   *score = json_object_get(types, label);
            json_object_set_new(row, i ? "b" : "a", score ? json_incref(score) : json_null());
        }
        json_array_append_new(rows, row);
    }
    if (!fine)
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "a, b: expected two trainings, as a=0001&b=0002");
    else
        nf_request_reply_json(r, json_pack("{s:O, s:O, s:O, s:b}", "a", runs[0], "b", runs[1],
                                           "types", rows, "same_texts",
                                           json_equal(json_object_get(runs[0], "held_out"),
                                                      json_object_get(runs[1], "held_out"))));
    for (int i = 0; i < 2; i++) json_decref(runs[i]), json_decref(reports[i]);
    json_decref(labels);
    json_decref(rows);
}

/* ---------------------------------------------------------------- what is wrong */

typedef struct checking {
    const nf_project *project;
    json_t *list;
} checking;

static void on_finding(void *user, const nerfit_finding *f) {
    checking *c = user;
    const nf_item *text = f->line > 0 ? nf_project_text(c->project, (size_t)f->line) : NULL;
    bool ours = text && strcmp(f->file, "texts.jsonl") == 0;
    json_array_append_new(c->list, json_pack("{s:s, s:s, s:b, s:o}", "kind", f->kind, "message",
                                             f->message, "is_error", f->is_error, "id",
                                             ours ? json_sprintf("%zu", text->id) : json_null()));
}

void nf_route_check(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nerfit_corpus *corpus = NULL;
    nerfit_error error;
    nf_str labels = {0};
    if (!p) return;
    checking c = {p, json_array()};
    nf_str_appendf(&labels, "%s/labels.json", p->folder);
    nerfit_status status = nf_project_corpus(&corpus, p, NF_TEXT_ACCEPTED, &error);
    if (status == NERFIT_OK)
        status = nerfit_corpus_check((const nerfit_corpus *const *)&corpus, 1,
                                     p->n_labels ? labels.data : NULL, on_finding, &c, &error);
    if (status == NERFIT_OK)
        nf_request_reply_json(r, json_pack("{s:O}", "findings", c.list));
    else
        nf_request_fail_as(r, &error);
    nerfit_corpus_free(corpus);
    json_decref(c.list);
    nf_str_free(&labels);
}
