/* The one place where messages are put together; see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

static const char *const status_texts[] = {
#define STATUS_TEXT(name, text) text,
    NERFIT_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
};

const char *nerfit_status_text(nerfit_status status) {
    size_t i = (size_t)status;
    return i < sizeof status_texts / sizeof *status_texts ? status_texts[i] : "unknown status";
}

const char *nerfit_version(void) {
    return NERFIT_VERSION;
}

static void set_place(nerfit_error *err, nerfit_status code, const char *file, long line,
                      long column) {
    err->code = code;
    err->line = line;
    err->column = column;
    snprintf(err->file, sizeof err->file, "%s", file ? file : "");
}

nerfit_status nf_fail(nerfit_error *err, nerfit_status code, const char *format, ...) {
    if (!err) return code;
    set_place(err, code, NULL, 0, 0);
    va_list args;
    va_start(args, format);
    nf_print_list(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

nerfit_status nf_fail_at(nerfit_error *err, nerfit_status code, const char *file, long line,
                         long column, const char *format, ...) {
    if (!err) return code;
    set_place(err, code, file, line, column);
    size_t size = sizeof err->text;
    int used;
    if (line <= 0)
        used = snprintf(err->text, size, "%s: ", file);
    else if (column <= 0)
        used = snprintf(err->text, size, "%s:%ld: ", file, line);
    else
        used = snprintf(err->text, size, "%s:%ld:%ld: ", file, line, column);
    if (used < 0 || (size_t)used >= size) return code;
    va_list args;
    va_start(args, format);
    nf_print_list(err->text + used, size - (size_t)used, format, args);
    va_end(args);
    return code;
}

nerfit_status nf_fail_within(nerfit_error *err, nerfit_status code, const char *format, ...) {
    if (!err) return code;
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, format);
    int used = nf_print_list(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof err->text)
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", inner);
    err->code = code;
    return code;
}

static _Thread_local size_t no_room;

void nf_no_room(size_t bytes) {
    no_room = bytes;
}

void *nf_malloc(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) nf_no_room(bytes);
    return memory;
}

void *nf_calloc(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) nf_no_room(count * size);
    return memory;
}

nerfit_status nf_no_memory(nerfit_error *err, size_t bytes) {
    if (bytes)
        no_room = bytes; /* who adds a view of their own says the same */
    else
        bytes = no_room;
    if (bytes == 0) return nf_fail(err, NERFIT_NO_MEMORY, "out of memory");
    return nf_fail(err, NERFIT_NO_MEMORY, "out of memory (asked for %zu bytes)", bytes);
}
