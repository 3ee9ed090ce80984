#include "serve/project/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "serve/project/trainer.h"

/* Below it a model's entity is none, unless a threshold says otherwise. */
static const double LEAST_SCORE = 0.5;

void nf_findings_free(nf_findings *f) {
    for (size_t i = 0; i < f->count; i++) {
        free(f->texts[i].annotated);
        free(f->texts[i].found);
    }
    free(f->texts);
    *f = (nf_findings){0};
}

/* ---------------------------------------------------------------- reading */

typedef struct reading {
    nf_findings *findings;
    const nf_project *project;
    uint64_t revision; /* of the run */
    size_t at;
    bool annotated;
} reading;

/* False: a label that is gone. */
static bool read_entity(nf_found *out, const reading *r, const json_t *given) {
    nf_given_mark m = nf_given_mark_of(given);
    const json_t *score = json_object_get(given, "score");
    out->start = (uint32_t)m.start;
    out->end = (uint32_t)m.end;
    out->label = m.label ? nf_project_label_since(r->project, m.label, r->revision) : NULL;
    out->score = score ? json_number_value(score) : 1.0;
    out->is_equal = false;
    return out->label != NULL;
}

static nerfit_status read_line(void *user, const json_t *line, long number, nerfit_error *err) {
    reading *r = user;
    (void)number;
    const json_t *list = json_object_get(line, "entities"), *item;
    size_t i, n = 0;
    if (r->at >= r->findings->count) return NERFIT_OK;
    nf_found_text *text = &r->findings->texts[r->at++];
    nf_found *items = calloc(json_array_size(list) + 1, sizeof *items);
    if (!items) return nf_no_memory(err, json_array_size(list));
    json_array_foreach(list, i, item) n += read_entity(&items[n], r, item);
    if (r->annotated)
        text->annotated = items, text->n_annotated = n;
    else
        text->found = items, text->n_found = n;
    return NERFIT_OK;
}

static nerfit_status read_file(reading *r, const json_t *run, const char *name, bool annotated,
                               nerfit_error *err) {
    nf_str path = nf_trainer_path(r->project->trainer, run, name);
    r->at = 0;
    r->annotated = annotated;
    nerfit_status status =
        path.failed ? nf_no_memory(err, 0) : nf_lines_load(path.data, read_line, r, err);
    nf_str_free(&path);
    return status;
}

static void pair(nf_found_text *text) {
    for (size_t i = 0; i < text->n_annotated; i++)
        for (size_t k = 0; k < text->n_found; k++) {
            nf_found *a = &text->annotated[i], *f = &text->found[k];
            if (a->start != f->start || a->end != f->end || a->label != f->label) continue;
            a->is_equal = f->is_equal = true;
            a->score = f->score;
        }
}

nerfit_status nf_findings_read(nf_findings *f, const nf_project *p, const json_t *run,
                               nerfit_error *err) {
    const json_t *texts = json_object_get(run, "texts"), *held = json_object_get(run, "held_out");
    reading r = {f, p, (uint64_t)json_integer_value(json_object_get(run, "revision")), 0, false};
    nf_str found = nf_trainer_path(p->trainer, run, "predictions.jsonl");
    bool measured = !found.failed && nf_file_exists(found.data);
    nf_str_free(&found);
    *f = (nf_findings){0};
    if (!measured) return nf_fail(err, NERFIT_ARGUMENT, "the training has not been measured yet");
    *f = (nf_findings){calloc(json_array_size(texts) + 1, sizeof *f->texts), 0};
    if (!f->texts) return nf_no_memory(err, json_array_size(texts));
    size_t h = 0;
    for (; f->count < json_array_size(texts); f->count++) {
        nf_found_text *text = &f->texts[f->count];
        text->id = (size_t)json_integer_value(json_array_get(texts, f->count));
        text->held_out =
            h < json_array_size(held) &&
            (size_t)json_integer_value(json_array_get(held, h)) == text->id; /* both in one order */
        h += text->held_out;
    }
    NF_TRY(read_file(&r, run, "all.jsonl", true, err));
    NF_TRY(read_file(&r, run, "predictions.jsonl", false, err));
    for (size_t i = 0; i < f->count; i++) pair(&f->texts[i]);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- disagreement */

static bool disagrees(const nf_found_text *text) {
    for (size_t i = 0; i < text->n_annotated; i++)
        if (!text->annotated[i].is_equal || text->annotated[i].score < LEAST_SCORE) return true;
    for (size_t i = 0; i < text->n_found; i++)
        if (!text->found[i].is_equal && text->found[i].score >= LEAST_SCORE) return true;
    return false;
}

const json_t *nf_project_disagreements(nf_project *p) {
    json_t *used = nf_trainer_current(p->trainer, false);
    const json_t *name = json_object_get(used, "run");
    const json_t *kept = json_object_get(p->disagreements, "run");
    nf_findings f = {0};
    nerfit_error error;
    if (name && kept && json_equal(kept, name)) {
        json_decref(used);
        return json_object_get(p->disagreements, "ids");
    }
    json_t *run = used ? nf_trainer_run(p->trainer, json_string_value(name), true) : NULL;
    json_t *ids = json_object();
    json_decref(used);
    nerfit_status status = run ? nf_findings_read(&f, p, run, &error) : NERFIT_OK;
    if (status != NERFIT_OK && status != NERFIT_ARGUMENT) nf_log_warning(&p->log, "%s", error.text);
    for (size_t i = 0; i < f.count; i++) {
        char id[24];
        if (!disagrees(&f.texts[i])) continue;
        nf_print(id, sizeof id, "%zu", f.texts[i].id);
        json_object_set_new(ids, id, json_true());
    }
    nf_findings_free(&f);
    json_decref(p->disagreements);
    p->disagreements = run && status == NERFIT_OK
                           ? json_pack("{s:O, s:O, s:O}", "run", json_object_get(run, "run"),
                                       "revision", json_object_get(run, "revision"), "ids", ids)
                           : NULL;
    json_decref(run);
    json_decref(ids);
    return json_object_get(p->disagreements, "ids");
}
