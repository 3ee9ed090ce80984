/* Scores as text and as JSON. */
#ifndef NF_EVAL_REPORT_H
#define NF_EVAL_REPORT_H

#include <jansson.h>

#include "base/str.h"
#include "eval/score.h"

/* An aligned table, seqeval's classification_report(digits=4) to the byte: types, then the
 * averages; below it conlleval's two lines (counts of tokens and phrases, accuracy, micro scores in
 * percent). `out->failed` tells of missing memory. */
void nf_report_text(const nf_report *report, nf_str *out);
/* {"types": {label: {...}}, "micro": {...}, "macro", "weighted", "accuracy", "tokens"};
 * {...} is precision, recall, f1, support, predicted, correct. NULL when out of memory or when a
 * label is not UTF-8. */
json_t *nf_report_json(const nf_report *report);

#endif
