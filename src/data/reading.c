#include "data/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

enum { MOST_LOGGED = 10 };

nf_reading nf_reading_begin(nf_corpus *corpus, const nf_annotation_options *options,
                            const char *name, nerfit_error *err) {
    static const nf_annotation_options defaults = {0};
    return (nf_reading){.corpus = corpus,
                        .options = options ? options : &defaults,
                        .format = options ? options->format : NULL,
                        .name = name ? name : "text",
                        .err = err};
}

nerfit_status nf_reading_end(nf_reading *reading, nerfit_status status) {
    for (size_t kind = 0; kind < NF_N_FINDING_KINDS; kind++)
        if (reading->n_logged[kind] > MOST_LOGGED)
            nf_log_warning(reading->options->log, "%s: %zu more like that: %s", reading->name,
                           reading->n_logged[kind] - MOST_LOGGED,
                           nf_finding_kind_text((nf_finding_kind)kind));
    return status == NERFIT_OK && reading->n_errors ? NERFIT_FORMAT : status;
}

static nerfit_status report(nf_reading *reading, const nf_finding *finding, const char *message,
                            bool is_error) {
    if (!reading->options->report) return NERFIT_OK;
    nf_finding whole = *finding;
    whole.file = reading->name;
    whole.message = message;
    whole.is_error = is_error;
    return nf_annotation_report_add(reading->options->report, &whole, reading->err);
}

/* The error whose message is complete: kept if it is the first, reported, and counted. */
static nerfit_status take_error(nf_reading *reading, const nf_finding *finding,
                                const nerfit_error *error) {
    if (reading->n_errors == 0 && reading->err) *reading->err = *error;
    NF_TRY(report(reading, finding, error->text, true));
    size_t most = reading->options->max_errors ? reading->options->max_errors : 1;
    return ++reading->n_errors < most ? NERFIT_OK : NERFIT_FORMAT;
}

static void format_error(nf_reading *reading, nerfit_error *error, long line, long column,
                         const char *format, va_list args) {
    char text[sizeof error->text];
    nf_print_list(text, sizeof text, format, args);
    nf_fail_at(error, NERFIT_FORMAT, reading->name, line, column, "%s", text);
}

nerfit_status nf_reading_error(nf_reading *reading, const nf_finding *finding, const char *format,
                               ...) {
    nerfit_error error;
    va_list args;
    va_start(args, format);
    format_error(reading, &error, finding->line, finding->column, format, args);
    va_end(args);
    return take_error(reading, finding, &error);
}

nerfit_status nf_reading_malformed(nf_reading *reading, long line, long column, const char *format,
                                   ...) {
    nerfit_error error;
    va_list args;
    va_start(args, format);
    format_error(reading, &error, line, column, format, args);
    va_end(args);
    nf_finding finding = {.kind = NF_FINDING_MALFORMED, .line = line, .column = column};
    return take_error(reading, &finding, &error);
}

nerfit_status nf_reading_take(nf_reading *reading, const nerfit_error *error) {
    if (error->code != NERFIT_FORMAT) {
        if (reading->err) *reading->err = *error;
        return error->code;
    }
    nf_finding finding = {
        .kind = NF_FINDING_MALFORMED, .line = error->line, .column = error->column};
    return take_error(reading, &finding, error);
}

nerfit_status nf_reading_warning(nf_reading *reading, const nf_finding *finding, const char *format,
                                 ...) {
    nerfit_error text;
    va_list args;
    va_start(args, format);
    format_error(reading, &text, finding->line, finding->column, format, args);
    va_end(args);
    if (reading->n_logged[finding->kind]++ < MOST_LOGGED)
        nf_log_warning(reading->options->log, "%s", text.text);
    return report(reading, finding, text.text, false);
}
