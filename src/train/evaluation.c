#include "train/evaluation.h"

#include <stdio.h>

void nf_evaluation_free(nf_evaluation *e) {
    nf_scorer_free(e->scorer);
    *e = (nf_evaluation){0};
}

nerfit_status nf_evaluation_add(nf_evaluation *e, const char *const *types,
                                const nf_head_found *found, nerfit_error *err) {
    if (e->report || !e->scorer) {
        nf_evaluation_free(e);
        NF_TRY(nf_scorer_new(&e->scorer, NF_SCHEME_NONE, err));
    }
    const nf_scored_text text = {.types = types,
                                 .gold = found->gold,
                                 .n_gold = found->n_gold,
                                 .predicted = found->entities,
                                 .n_predicted = found->n_entities,
                                 .n_tokens = found->n_units,
                                 .n_correct = found->n_correct};
    return nf_scorer_add_entities(e->scorer, &text, err);
}

static int put_score(json_t *metrics, const char *name, const nf_score *score) {
    char key[256];
    int failed = 0;
    snprintf(key, sizeof key, "eval_%s_precision", name);
    failed |= json_object_set_new(metrics, key, json_real(score->precision));
    snprintf(key, sizeof key, "eval_%s_recall", name);
    failed |= json_object_set_new(metrics, key, json_real(score->recall));
    snprintf(key, sizeof key, "eval_%s_f1", name);
    failed |= json_object_set_new(metrics, key, json_real(score->f1));
    return failed;
}

nerfit_status nf_evaluation_metrics(nf_evaluation *self, json_t *metrics, nerfit_error *err) {
    if (!self->scorer) NF_TRY(nf_scorer_new(&self->scorer, NF_SCHEME_NONE, err));
    const nf_report *report;
    NF_TRY(nf_scorer_report(self->scorer, &report, err));
    int failed = put_score(metrics, "overall", &report->micro);
    double accuracy =
        report->n_tokens ? (double)report->n_tokens_correct / (double)report->n_tokens : 0.0;
    failed |= json_object_set_new(metrics, "eval_overall_accuracy", json_real(accuracy));
    for (size_t i = 0; i < report->n_types; i++) {
        char key[256];
        failed |= put_score(metrics, report->types[i].label, &report->types[i]);
        snprintf(key, sizeof key, "eval_%s_number", report->types[i].label);
        failed |=
            json_object_set_new(metrics, key, json_integer((json_int_t)report->types[i].support));
    }
    self->report = report;
    return failed ? nf_no_memory(err, 0) : NERFIT_OK;
}
