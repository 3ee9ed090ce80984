/* Tagging a stream of any length in constant memory: texts are read a portion at a time, tagged in
 * batches of similar length, and written in the order they came. */
#ifndef NF_INFER_STREAM_H
#define NF_INFER_STREAM_H

#include "data/annotations.h"
#include "infer/outputs.h"
#include "infer/tagger.h"

/* read: fills up to `size` bytes, returns how many; 0 at the end, negative on failure.
 * write: returns false on failure (a closed pipe, a full disk). Both are called on the calling
 * thread. */
typedef struct nf_stream {
    ptrdiff_t (*read)(void *user, char *buffer, size_t size);
    bool (*write)(void *user, const char *data, size_t size);
    void *user;
    const char *name;                   /* of the input, for messages */
    const nf_annotation_options *input; /* its format (NULL: told by the content) and columns */
    const nf_output *output;
    nf_pseudonyms *pseudonyms; /* of redacted output; NULL: none */
} nf_stream;

/* *n_texts (may be NULL) receives how many were tagged and written. Empty lines are texts without
 * entities, so that lines in and out correspond (in text and jsonl). */
nerfit_status nf_stream_tag(nf_tagger *tagger, const nf_tagging_call *call, const nf_stream *stream,
                            size_t *n_texts, nerfit_error *err);

#endif
