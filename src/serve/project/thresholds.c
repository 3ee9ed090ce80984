/* GET /project/thresholds: what a threshold on a label's scores would bring, on texts that the model has
 * not learned from. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "serve/project/answers.h"
#include "serve/project/findings.h"
#include "serve/project/routes.h"
#include "serve/project/snapshot.h"
#include "serve/project/trainer.h"

enum { POINTS = 19 }; /* 0.05, 0.10, ... 0.95 */

static double point_at(size_t i) {
    return (double)(i + 1) / (POINTS + 1);
}

typedef struct tally {
    size_t annotated, found[POINTS], correct[POINTS];
} tally;

/* Of one label; NULL: of all. */
static tally count(const nf_findings *f, const nf_label *label) {
    tally t = {0};
    for (size_t i = 0; i < f->count; i++) {
        const nf_found_text *text = &f->texts[i];
        if (!text->held_out) continue;
        for (size_t k = 0; k < text->n_annotated; k++)
            t.annotated += !label || text->annotated[k].label == label;
        for (size_t k = 0; k < text->n_found; k++) {
            const nf_found *e = &text->found[k];
            if (label && e->label != label) continue;
            for (size_t at = 0; at < POINTS && e->score >= point_at(at); at++) {
                t.found[at]++;
                t.correct[at] += e->is_equal;
            }
        }
    }
    return t;
}

/* Points, and which is the lowest with the wanted precision (negative: the best F1). */
static json_t *answer_of(const tally *t, double wanted) {
    json_t *points = json_array(), *chosen = json_null();
    double best = -1.0;
    for (size_t i = 0; i < POINTS; i++) {
        double precision = t->found[i] ? (double)t->correct[i] / (double)t->found[i] : 1.0;
        double recall = t->annotated ? (double)t->correct[i] / (double)t->annotated : 0.0;
        double f1 = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0.0;
        double worth = wanted < 0 ? f1 : precision >= wanted && t->correct[i] ? recall : -1.0;
        json_array_append_new(points,
                              json_pack("{s:f, s:f, s:f, s:f, s:I}", "threshold", point_at(i),
                                        "precision", precision, "recall", recall, "f1", f1, "found",
                                        (json_int_t)t->found[i]));
        if (worth <= best || (wanted < 0 && !t->correct[i])) continue;
        best = worth;
        json_decref(chosen);
        chosen = json_real(point_at(i));
    }
    return json_pack("{s:I, s:o, s:o}", "annotated", (json_int_t)t->annotated, "points", points,
                     "chosen", chosen);
}

/* "?precision=0.9"; negative: it is not given. */
static bool read_wanted(nf_request *r, double *wanted) {
    const char *text = nf_request_argument(r, "precision");
    *wanted = -1.0;
    if (!text || (nf_number_parse(text, wanted) && *wanted >= 0.0 && *wanted <= 1.0)) return true;
    nf_request_fail(r, NF_FAILURE_VALIDATION, "precision: expected a number from 0 to 1");
    return false;
}

void nf_route_thresholds(nf_request *r) {
    nf_project *p = nf_request_project(r);
    double wanted;
    nf_findings f = {0};
    nerfit_error error;
    if (!p || !read_wanted(r, &wanted)) return;
    const char *name = nf_request_argument(r, "run");
    json_t *run =
        name ? nf_trainer_run(p->trainer, name, true) : nf_trainer_current(p->trainer, true);
    if (!run) {
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "there is no trained model%s",
                        name ? " of it" : "");
    } else if (!json_array_size(json_object_get(run, "held_out"))) {
        nf_request_fail(
            r, NF_FAILURE_VALIDATION,
            "this training had too few texts to measure it; %d accepted ones are enough",
            NF_LEAST_MEASURED);
    } else if (nf_findings_read(&f, p, run, &error) != NERFIT_OK) {
        nf_request_fail_as(r, &error);
    } else {
        json_t *labels = json_object();
        tally all = count(&f, NULL);
        for (size_t i = 0; i < p->n_labels; i++) {
            tally t = count(&f, p->labels[i]);
            json_object_set_new(labels, p->labels[i]->name, answer_of(&t, wanted));
        }
        nf_request_reply_json(r,
                              json_pack("{s:O, s:O, s:o, s:o}", "run", json_object_get(run, "run"),
                                        "n_held_out", json_object_get(run, "n_held_out"), "labels",
                                        labels, "all", answer_of(&all, wanted)));
    }
    nf_findings_free(&f);
    json_decref(run);
}
