/* A reader over JSON text in memory that builds nothing: it walks the text once, and hands out
 * keys, strings and numbers where they stand. It is for tables of many thousand entries, of which a
 * tree of values would cost more than all else that is done with them. It takes what jansson takes,
 * and leaves to its user what is no matter of syntax: keys that come twice, and numbers that are
 * too large.
 *
 *     nf_json_cursor c = {.text = text, .length = length};
 *     nf_json_open(&c, '{');
 *     while (nf_json_more(&c, '}'))
 *         if (nf_json_key(&c, &key, &size) && wanted(key, size)) ...one value...;
 *         else nf_json_skip(&c);
 *     if (c.problem) ...
 *
 * After the first problem every call does nothing and returns false. */
#ifndef NF_BASE_JSON_CURSOR_H
#define NF_BASE_JSON_CURSOR_H

#include "base/error.h"
#include "base/str.h"

typedef struct nf_json_cursor {
    const char *text;
    size_t length;
    size_t at;           /* byte */
    const char *problem; /* NULL: none; else what is wrong at `at` */
    size_t depth;        /* arrays and objects that are open */
    bool fresh;          /* the last of them has just been opened */
    nf_str decoded;      /* the last string, if it had escapes */
} nf_json_cursor;

/* The byte that the next value (or bracket, comma ...) begins with; '\0' at the end. */
char nf_json_peek(nf_json_cursor *cursor);
/* Past '{' or '['. */
bool nf_json_open(nf_json_cursor *cursor, char bracket);
/* Whether another member or item follows; past the comma before it, or past the closing bracket. */
bool nf_json_more(nf_json_cursor *cursor, char closing);
/* A string's bytes (UTF-8 without NUL): in the text itself, or in `decoded` until the next string.
 */
bool nf_json_string(nf_json_cursor *cursor, const char **bytes, size_t *length);
/* A member's name, and past the colon. */
bool nf_json_key(nf_json_cursor *cursor, const char **bytes, size_t *length);
/* A number as it is spelled, and whether that is an integer. */
bool nf_json_number(nf_json_cursor *cursor, const char **spelling, size_t *length, bool *integer);
/* Past any value. */
bool nf_json_skip(nf_json_cursor *cursor);
/* Whether only blanks follow; else that is a problem. */
bool nf_json_end(nf_json_cursor *cursor);

/* Frees what the cursor holds; its problem stays. */
void nf_json_cursor_free(nf_json_cursor *cursor);
/* The error that the problem is; `file` is for the message. */
nerfit_status nf_json_cursor_fail(const nf_json_cursor *cursor, const char *file,
                                  nerfit_error *err);

/* Line and column (from 1; in characters) of the last of text's first `at` bytes, as jansson counts
 * them: column 0 is a line's beginning. */
void nf_json_place(const char *text, size_t at, long *line, long *column);

#endif
