/* Tagging a stream of any length in constant memory: texts are read a window at a time, tagged in
 * batches of similar length, and written in the order they came. */
#ifndef NF_INFER_STREAM_H
#define NF_INFER_STREAM_H

#include "data/annotations.h"
#include "infer/tagger.h"

typedef enum nf_stream_output {
    NF_OUTPUT_JSONL,
    NF_OUTPUT_CONLL, /* words that the input gives (conll) stay as they are, one label each */
    NF_OUTPUT_BRACKETS,
    NF_OUTPUT_TOKENS,
    NF_OUTPUT_HTML,
} nf_stream_output;

/* By name ("jsonl", "text", ...); false if there is none. */
bool nf_stream_output_find(const char *name, nf_stream_output *out);

/* read: fills up to `size` bytes, returns how many; 0 at the end, negative on failure.
 * write: returns false on failure (a closed pipe, a full disk). */
typedef struct nf_stream {
    ptrdiff_t (*read)(void *user, char *buffer, size_t size);
    bool (*write)(void *user, const char *data, size_t size);
    void *user;
    const char *name;                   /* of the input, for messages */
    const nf_log *log;                  /* may be NULL */
    const nf_annotation_options *input; /* its format (NULL: told by the content) and columns */
    nf_stream_output output;
} nf_stream;

/* *n_texts (may be NULL) receives how many were tagged. Empty lines are texts without entities, so
 * that lines in and out correspond (in text and jsonl). */
nerfit_status nf_stream_tag(nf_tagger *tagger, const nf_stream *stream, size_t *n_texts,
                            nerfit_error *err);

#endif
