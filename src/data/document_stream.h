/* Documents one at a time from a stream of any length: for tagging. The order is that of the input.
 * In constant memory come these; all other formats that are one file are read to their end first:
 *
 * text    a text a line; an empty line is an empty text
 * jsonl   an object with "text" a line, or a JSON string; an empty line is an empty text
 * conll   a word a line, an empty line between texts. The columns are told from the first text; a
 *         column of labels may be missing.
 * brackets
 *         as in a file, but that an empty line is an empty text
 *
 * A line that is not UTF-8 is an error that names it. After an error in a document the stream
 * stands behind it, and may be read on. */
#ifndef NF_DATA_DOCUMENT_STREAM_H
#define NF_DATA_DOCUMENT_STREAM_H

#include "data/annotations.h"

typedef struct nf_document_stream nf_document_stream;

/* Fills up to `size` bytes and returns how many; 0 at the end, negative on failure. */
typedef ptrdiff_t (*nf_read_function)(void *user, char *buffer, size_t size);

typedef struct nf_document_source {
    nf_read_function read;
    void *user;
    const char *name;        /* for messages; copied */
    const nf_format *format; /* NULL: told by the content */
    bool with_spans;         /* whether entities and labels are read and checked, too */
    const nf_annotation_options *options; /* for columns; copied; NULL: the defaults */
} nf_document_source;

nerfit_status nf_document_stream_open(nf_document_stream **out, const nf_document_source *source,
                                      nerfit_error *err);
/* Adds the next document to the corpus; *more is false, and nothing is added, at the end. Whoever
 * frees the corpus from time to time uses constant memory. */
nerfit_status nf_document_stream_next(nf_document_stream *stream, nf_corpus *corpus, bool *more,
                                      nerfit_error *err);
void nf_document_stream_close(nf_document_stream *stream);

#endif
