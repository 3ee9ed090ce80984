#include "base/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_cursor.h"
#include "base/json_mend.h"
#include "base/number.h"
#include "base/str.h"

/* What a text is: a line or answer, in which a key that comes twice is a fault, or a file of settings
 * as Python's json module reads it: the last of such keys counts, and a number that is not finite
 * stays visible, as text, to whoever expects a number. */
typedef enum json_kind { JSON_VALUE, JSON_SETTINGS } json_kind;

static json_t *json_load_text(const char *text, size_t length, size_t flags, json_error_t *error) {
    nf_locale before = nf_locale_enter();
    json_t *json = json_loadb(text, length, flags, error);
    nf_locale_leave(before);
    return json;
}

/* jansson first: what only Python takes is looked for in a text that jansson refuses. */
static json_t *json_read(const char *text, size_t length, json_kind kind, json_error_t *error) {
    size_t flags = JSON_DECODE_ANY | (kind == JSON_VALUE ? JSON_REJECT_DUPLICATES : 0);
    json_t *value = json_load_text(text, length, flags, error);
    nf_json_mended mended;
    if (value || json_error_code(error) == json_error_out_of_memory || !error->text[0] ||
        !nf_json_mend(&mended, text, length, kind == JSON_SETTINGS) || mended.n_edits == 0)
        return value;
    value = json_load_text(mended.text, mended.length, flags, error);
    if (!value && error->position >= 0) {
        long line, column;
        size_t at = nf_json_mended_place(&mended, (size_t)error->position);
        nf_json_place(text, at < length ? at : length, &line, &column);
        error->position = (int)at;
        error->line = (int)line;
        error->column = (int)column;
    }
    nf_json_mended_free(&mended);
    return value;
}

static nerfit_status fail(const json_error_t *error, size_t length, const char *file, long line,
                          long column, nerfit_error *err) {
    /* jansson 2.14 says nothing at all when its buffers cannot be made */
    if (json_error_code(error) == json_error_out_of_memory || !error->text[0])
        return nf_no_memory(err, length);
    bool nul = json_error_code(error) == json_error_null_character;
    return nf_fail_at(err, NERFIT_FORMAT, file ? file : "JSON", line, column,
                      "is not valid JSON: %s",
                      nul ? "a NUL character (\\u0000) in a string" : error->text);
}

static nerfit_status json_parse(json_t **out, const char *text, size_t length, json_kind kind,
                                const char *file, long line, long column, nerfit_error *err) {
    json_error_t error;
    if ((*out = json_read(text, length, kind, &error))) return NERFIT_OK;
    bool same_line = error.line == 1 && column > 0;
    return fail(&error, length, file, line > 0 ? line - 1 + error.line : error.line,
                same_line ? column - 1 + error.column : error.column, err);
}

nerfit_status nf_json_parse_at(json_t **out, const char *text, size_t length, const char *file,
                               long line, long column, nerfit_error *err) {
    return json_parse(out, text, length, JSON_VALUE, file, line, column, err);
}

nerfit_status nf_json_parse_without(json_t **out, const char *text, size_t length,
                                    const nf_json_span *spans, size_t count, const char *file,
                                    nerfit_error *err) {
    size_t kept = 0, from = 0;
    *out = NULL;
    char *rest = malloc(length + 1);
    if (!rest) return nf_no_memory(err, length);
    for (size_t i = 0; i <= count; i++) {
        size_t to = i < count ? spans[i].from : length;
        memcpy(rest + kept, text + from, to - from);
        kept += to - from;
        if (i < count) from = spans[i].to;
    }
    json_error_t error;
    *out = json_read(rest, kept, JSON_VALUE, &error);
    free(rest);
    if (*out) return NERFIT_OK;
    size_t at = error.position > 0 ? (size_t)error.position : 0; /* bytes that jansson has read */
    for (size_t i = 0; i < count && at > spans[i].from; i++) at += spans[i].to - spans[i].from;
    long line, column;
    nf_json_place(text, at < length ? at : length, &line, &column);
    return fail(&error, kept, file, line, column, err);
}

nerfit_status nf_json_parse(json_t **out, const char *text, size_t length, const char *file,
                            long line, nerfit_error *err) {
    return nf_json_parse_at(out, text, length, file, line, 1, err);
}

nerfit_status nf_json_load(json_t **out, const char *path, nerfit_error *err) {
    *out = NULL;
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = json_parse(out, file.data, file.size, JSON_SETTINGS, path, 1, 1, err);
    nf_file_close(&file);
    return status;
}

static int append(const char *bytes, size_t size, void *out) {
    return nf_str_append(out, bytes, size) ? 0 : -1;
}

char *nf_json_text(const json_t *value, size_t flags) {
    nf_str text = {0};
    nf_locale before = nf_locale_enter();
    bool ok = json_dump_callback(value, append, &text, flags | JSON_ENCODE_ANY) == 0;
    nf_locale_leave(before);
    if (ok && !text.failed) return text.data;
    nf_str_free(&text);
    return NULL;
}

nerfit_status nf_json_save(const json_t *value, const char *path, nerfit_error *err) {
    char *text = nf_json_text(value, JSON_INDENT(2));
    if (!text) return nf_no_memory(err, 0);
    nf_file_writer *writer;
    nerfit_status status = nf_file_writer_open(&writer, path, err);
    if (status == NERFIT_OK) {
        status = nf_file_writer_write(writer, text, strlen(text), err);
        if (status == NERFIT_OK) status = nf_file_writer_write(writer, "\n", 1, err);
        if (status == NERFIT_OK)
            status = nf_file_writer_commit(writer, err);
        else
            nf_file_writer_abort(writer);
    }
    free(text);
    return status;
}
