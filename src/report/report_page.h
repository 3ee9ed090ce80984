/* A run's report.html: one file that needs no network and no script. */
#ifndef NF_REPORT_REPORT_PAGE_H
#define NF_REPORT_REPORT_PAGE_H

#include <jansson.h>

#include "base/str.h"

/* `run` is what report.json holds:
 *   {"model": folder, "options": {...}, "defaults": {...}, "history": [log entries with "stage"],
 *    "report": {...} as nerfit_report's JSON, or null, "report_of": "test" or "validation" or null,
 *    "data": {"train": {"texts", "entities"}, "validation": ... or null, "test": ... or null},
 *    "types": n, "fit": the calibration's {"temperature", "shift", "entities", "from",
 *    "error_before", "error_after"}, or null}
 * Sections without data are left out. */
void nf_report_page_html(const json_t *run, nf_str *out);

#endif
