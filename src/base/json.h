/* JSON through jansson, with this project's errors, and the same in every locale (jansson changes
 * the decimal point alone, and only where it is one byte). Others call no json_load or json_dump. */
#ifndef NF_BASE_JSON_H
#define NF_BASE_JSON_H

#include <jansson.h>

#include "base/error.h"

/* Parses a whole file of settings (config.json and its like), as Python's json module does; the error
 * names file:line:column. *out is owned by the caller (json_decref), NULL on failure. Of a key that
 * is there twice the last one counts; an integer beyond 64 bits is a real; NaN, Infinity, -Infinity
 * and numbers beyond double are texts of that name, so that a reader of numbers refuses them. */
nerfit_status nf_json_load(json_t **out, const char *path, nerfit_error *err);
/* Parses text that stands at `line` of `file` (for messages; file may be NULL): data or an answer. A
 * key that is there twice is an error; what is not finite is null. */
nerfit_status nf_json_parse(json_t **out, const char *text, size_t length, const char *file,
                            long line, nerfit_error *err);
/* The same for text that stands at a line and a column of a file. */
nerfit_status nf_json_parse_at(json_t **out, const char *text, size_t length, const char *file,
                               long line, long column, nerfit_error *err);
/* A part of a text, from byte `from` to before `to`. */
typedef struct nf_json_span {
    size_t from, to;
} nf_json_span;
/* As nf_json_parse, of a whole file's text without some spans (rising, apart from each other): what
 * stands between the brackets of a table that is read by other means (json_cursor.h). The places in
 * messages are those of the whole text. */
nerfit_status nf_json_parse_without(json_t **out, const char *text, size_t length,
                                    const nf_json_span *spans, size_t count, const char *file,
                                    nerfit_error *err);
/* As jansson's json_dumps, of any value (the caller frees it), but NULL whenever memory was
 * missing: json_dumps 2.14 then leaves out a key or a text and calls it a success. */
char *nf_json_text(const json_t *value, size_t flags);
/* Writes indented JSON with a final newline, atomically. */
nerfit_status nf_json_save(const json_t *value, const char *path, nerfit_error *err);

#endif
