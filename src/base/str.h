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
bool nf_str_reserve(nf_str *s, size_t length);
void nf_str_clear(nf_str *s);
void nf_str_free(nf_str *s);
const char *nf_str_text(const nf_str *s);

/* Levenshtein distance of two short texts (bytes; at most 63 count): for "did you mean". */
size_t nf_str_distance(const char *a, const char *b);

#endif
