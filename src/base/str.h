/* Growable byte string, always NUL-terminated. After a failed append `failed` stays set, so that a
 * chain of appends needs one check at its end. */
#ifndef NF_BASE_STR_H
#define NF_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "nerfit.h"

/* Zero-initialise ({0}). `data` is NULL until the first append; nf_str_text is never NULL. */
typedef struct nf_str {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
} nf_str;

bool nf_str_append(nf_str *s, const char *bytes, size_t length);
bool nf_str_append_text(nf_str *s, const char *text);
bool nf_str_append_char(nf_str *s, char c);
bool nf_str_appendf(nf_str *s, const char *format, ...) NERFIT_PRINTF(2, 3);
/* With "&", "<", ">" and double quotes as HTML and XML write them. */
bool nf_str_append_html(nf_str *s, const char *text, size_t length);
/* As a JSON string, quotes included: valid UTF-8, written as jansson writes it. */
bool nf_str_append_json(nf_str *s, const char *text, size_t length);
bool nf_str_reserve(nf_str *s, size_t length);
void nf_str_clear(nf_str *s);
void nf_str_free(nf_str *s);
const char *nf_str_text(const nf_str *s);

/* Edits from one short text to the other (bytes; at most 63 count): a byte put in, taken out or
 * replaced, or two neighbours exchanged (optimal string alignment). */
size_t nf_str_distance(const char *a, const char *b);

/* Where the text stands in the list [count]; count: nowhere. */
size_t nf_list_index(const char *const *list, size_t count, const char *text);

/* Whether the text [size] ends in `ending`. */
bool nf_text_ends_with(const char *text, size_t size, const char *ending);

/* "Did you mean": the nearest of several names. Zero-initialise, show it every name, and read
 * `name`, which is NULL if none is near: more than a third of the letters differ. */
typedef struct nf_nearest {
    const char *name;
    size_t distance;
} nf_nearest;
void nf_nearest_see(nf_nearest *nearest, const char *wanted, const char *name);

#endif
