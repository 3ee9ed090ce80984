/* What the files of the report page share. */
#ifndef NF_REPORT_REPORT_PAGE_PARTS_H
#define NF_REPORT_REPORT_PAGE_PARTS_H

#include <jansson.h>

#include "base/str.h"

/* A page's beginning, up to its body; the title is no HTML's to escape. */
void nf_page_head(nf_str *out, const char *title);
/* A number with its name; `format` of one double. */
void nf_page_card(nf_str *out, const char *label, const char *format, double value);
/* Escaped text of a JSON string; nothing for another value. */
void nf_page_text(nf_str *out, const json_t *value);
double nf_page_number(const json_t *object, const char *name);
json_int_t nf_page_count(const json_t *object, const char *name);

/* The confusion table, and the mistakes in their texts, of a report. */
void nf_page_confusion(nf_str *out, const json_t *report);
void nf_page_mistakes(nf_str *out, const json_t *report, const char *report_of);

#endif
