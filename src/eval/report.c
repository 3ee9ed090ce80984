#include "eval/report.h"

#include <string.h>

#include "base/utf8.h"

/* Right-aligned, like all columns; printf's own width would count bytes. */
static void name_column(nf_str *out, int width, const char *name) {
    int shown = (int)nf_utf8_count(name, strlen(name));
    nf_str_appendf(out, "%*s%s ", width - shown, "", name);
}

static void row(nf_str *out, int width, const char *name, const nf_score *s) {
    name_column(out, width, name);
    nf_str_appendf(out, " %9.4f %9.4f %9.4f %9zu\n", s->precision, s->recall, s->f1, s->support);
}

/* seqeval's classification_report(digits=4), byte for byte. */
static void table(const nf_report *report, nf_str *out) {
    int width = (int)strlen("weighted avg");
    for (size_t i = 0; i < report->n_types; i++) {
        const char *label = report->types[i].label;
        int length = (int)nf_utf8_count(label, strlen(label));
        if (length > width) width = length;
    }
    name_column(out, width, "");
    nf_str_append_text(out, " precision    recall  f1-score   support\n\n");
    for (size_t i = 0; i < report->n_types; i++)
        row(out, width, report->types[i].label, &report->types[i]);
    nf_str_append_char(out, '\n');
    row(out, width, "micro avg", &report->micro);
    row(out, width, "macro avg", &report->macro);
    row(out, width, "weighted avg", &report->weighted);
}

static double accuracy_of(const nf_report *report) {
    return report->n_tokens ? (double)report->n_tokens_correct / (double)report->n_tokens : 0.0;
}

void nf_report_text(const nf_report *report, nf_str *out) {
    const nf_score *all = &report->micro;
    table(report, out);
    nf_str_appendf(out,
                   "\nprocessed %zu tokens with %zu phrases; found: %zu phrases; correct: %zu.\n"
                   "accuracy: %6.2f%%; precision: %6.2f%%; recall: %6.2f%%; FB1: %6.2f\n",
                   report->n_tokens, all->support, all->predicted, all->correct,
                   100.0 * accuracy_of(report), 100.0 * all->precision, 100.0 * all->recall,
                   100.0 * all->f1);
}

static json_t *score_json(const nf_score *s) {
    return json_pack("{s:f, s:f, s:f, s:I, s:I, s:I}", "precision", s->precision, "recall",
                     s->recall, "f1", s->f1, "support", (json_int_t)s->support, "predicted",
                     (json_int_t)s->predicted, "correct", (json_int_t)s->correct);
}

json_t *nf_report_json(const nf_report *report) {
    json_t *types = json_object(), *out = json_object();
    int failed = json_object_set(out, "types", types);
    for (size_t i = 0; i < report->n_types; i++)
        failed |= json_object_set_new(types, report->types[i].label, score_json(&report->types[i]));
    json_decref(types);
    failed |= json_object_set_new(out, "micro", score_json(&report->micro));
    failed |= json_object_set_new(out, "macro", score_json(&report->macro));
    failed |= json_object_set_new(out, "weighted", score_json(&report->weighted));
    failed |= json_object_set_new(out, "accuracy", json_real(accuracy_of(report)));
    failed |= json_object_set_new(out, "tokens", json_integer((json_int_t)report->n_tokens));
    if (!failed) return out;
    json_decref(out);
    return NULL;
}
