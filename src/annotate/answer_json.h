/* JSON as language models write it, into jansson's tree: what json.h refuses is read as it is meant.
 * Single and typographic quotes, names without quotes, Python's None, True, False and tuples, trailing
 * and missing commas, line breaks in strings; what is cut off ends where its last complete item
 * ends. */
#ifndef NF_ANNOTATE_ANSWER_JSON_H
#define NF_ANNOTATE_ANSWER_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct nf_loose_json {
    const char *text;
    size_t size, at;
    bool truncated; /* the text ended inside the value */
    bool no_memory;
    int depth;
} nf_loose_json;

/* The value that begins at `at` ({, [ or parenthesis), which then stands behind it; owned by the caller,
 * NULL: there is none. */
json_t *nf_loose_json_read(nf_loose_json *in);

#endif
