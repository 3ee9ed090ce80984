#include "predict/report.h"

#include "base/utf8.h"

#include <string.h>

static void row(nf_str *out, int width, const char *name, const nf_score *s) {
    int shown = (int)nf_utf8_count(name, strlen(name)); /* %*s counts bytes */
    nf_str_appendf(out, "%*s%s %10.4f %10.4f %10.4f %9zu\n", width - shown, "", name, s->precision,
                   s->recall, s->f1, s->support);
}

void nf_report_text(const nf_report *report, nf_str *out) {
    int width = 12; /* "weighted avg" */
    for (size_t i = 0; i < report->n_types; i++) {
        const char *label = report->types[i].label;
        int length = (int)nf_utf8_count(label, strlen(label));
        if (length > width) width = length;
    }
    nf_str_appendf(out, "%*s %10s %10s %10s %9s\n", width, "", "precision", "recall", "f1-score",
                   "support");
    for (size_t i = 0; i < report->n_types; i++)
        row(out, width, report->types[i].label, &report->types[i]);
    nf_str_append_char(out, '\n');
    row(out, width, "micro avg", &report->micro);
    row(out, width, "macro avg", &report->macro);
    row(out, width, "weighted avg", &report->weighted);
}

static json_t *score_json(const nf_score *s) {
    return json_pack("{s:f, s:f, s:f, s:I, s:I, s:I}", "precision", s->precision, "recall",
                     s->recall, "f1", s->f1, "support", (json_int_t)s->support, "predicted",
                     (json_int_t)s->predicted, "correct", (json_int_t)s->correct);
}

json_t *nf_report_json(const nf_report *report) {
    json_t *types = json_object();
    for (size_t i = 0; i < report->n_types; i++)
        json_object_set_new(types, report->types[i].label, score_json(&report->types[i]));
    double accuracy =
        report->n_tokens ? (double)report->n_tokens_correct / (double)report->n_tokens : 0.0;
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:I}", "types", types, "micro",
                     score_json(&report->micro), "macro", score_json(&report->macro), "weighted",
                     score_json(&report->weighted), "accuracy", accuracy, "tokens",
                     (json_int_t)report->n_tokens);
}
