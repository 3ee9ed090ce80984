/* Scores as text and as JSON. */
#ifndef NF_PREDICT_REPORT_H
#define NF_PREDICT_REPORT_H

#include <jansson.h>

#include "base/str.h"
#include "predict/score.h"

/* An aligned table: types, then the averages. */
void nf_report_text(const nf_report *report, nf_str *out);
/* {"types": {label: {...}}, "micro": {...}, "macro", "weighted", "accuracy", "tokens"};
 * NULL when out of memory. */
json_t *nf_report_json(const nf_report *report);

#endif
