#include "data/annotation_report.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/number.h"

const char *nf_finding_kind_text(nf_finding_kind kind) {
    static const char *const texts[] = {
#define FINDING_TEXT(name, text) text,
        NF_FINDING_MAP(FINDING_TEXT)
#undef FINDING_TEXT
    };
    return kind < NF_N_FINDING_KINDS ? texts[kind] : "unknown finding";
}

static char *copy(nf_arena *arena, const char *text) {
    return nf_arena_strdup(arena, text ? text : "");
}

nerfit_status nf_annotation_report_add(nf_annotation_report *report, const nf_finding *finding,
                                       nerfit_error *err) {
    report->kinds[finding->kind]++;
    report->n_errors += finding->is_error;
    if (report->count >= (report->most_items ? report->most_items : NF_REPORT_MOST_ITEMS))
        return NERFIT_OK;
    if (!nf_array_reserve(&report->items, &report->capacity, report->count + 1,
                          sizeof *report->items))
        return nf_no_memory(err, 0);
    nf_finding *item = &report->items[report->count];
    *item = *finding;
    item->file = copy(&report->arena, finding->file);
    item->label = copy(&report->arena, finding->label);
    item->message = copy(&report->arena, finding->message);
    if (!item->file || !item->label || !item->message) return nf_no_memory(err, 0);
    report->count++;
    return NERFIT_OK;
}

nerfit_status nf_annotation_report_tell(nf_annotation_report *report, nf_finding finding,
                                        nerfit_error *err, const char *format, ...) {
    nerfit_error text;
    char message[sizeof text.text];
    va_list args;
    va_start(args, format);
    nf_print_list(message, sizeof message, format, args);
    va_end(args);
    nf_fail_at(&text, NERFIT_FORMAT, finding.file, finding.line, 0, "%s", message);
    finding.message = text.text;
    return nf_annotation_report_add(report, &finding, err);
}

void nf_annotation_report_free(nf_annotation_report *report) {
    free(report->items);
    nf_arena_free(&report->arena);
    *report = (nf_annotation_report){0};
}
