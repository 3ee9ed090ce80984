/* What a job came to, as JSON, text and HTML.
 *
 *   {"texts", "annotated", "failed", "entities", "disputed", "disputed_texts": counts,
 *    "annotators": [name, ...],
 *    "labels": {label: {"entities", "texts", "disputed", "mentions": [[text, count], ...]}},
 *    "failures": [{"file", "line", "why"}, ...],
 *    "agreement": share of entities that all annotators have alike (with two and more),
 *    "llm": {...} of a language model (by_llm.h), or missing,
 *    "open": {...} of types of the model's own (open_types.h), or missing,
 *    "audit": {...} (audit.h), or missing} */
#ifndef NF_ANNOTATE_SUMMARY_H
#define NF_ANNOTATE_SUMMARY_H

#include <jansson.h>

#include "annotate/job.h"
#include "base/str.h"

enum { NF_SUMMARY_MENTIONS = 20, NF_SUMMARY_FAILURES = 100 };

/* Of what was written; agreement of merged spans is counted by the job. */
typedef struct nf_summary_counts {
    size_t n_disputed, n_disputed_texts;
    size_t n_spans, n_unanimous; /* merged ones of texts with several opinions */
    size_t *disputed;            /* [labels] */
    const char **failures;       /* [texts left out] why */
} nf_summary_counts;

nerfit_status nf_summary_make(json_t **out, const nf_annotate_job *job, const nf_annotated *result,
                              const nf_summary_counts *counts, nerfit_error *err);
/* For a terminal; `failed` of out tells of missing memory. */
/* Of an audit alone. */
void nf_audit_text(const json_t *audit, nf_str *out);
void nf_summary_text(const json_t *summary, nf_str *out);
/* A page of its own. */
void nf_summary_html(const json_t *summary, nf_str *out);

#endif
