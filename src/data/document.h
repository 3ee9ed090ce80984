/* Documents: texts with their annotated entities, as every format is read into and written from.
 * Offsets are code points, end exclusive. */
#ifndef NF_DATA_DOCUMENT_H
#define NF_DATA_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct nf_span {
    uint32_t start, end; /* code points, end exclusive */
    const char *label;   /* owned by the corpus; equal labels are the same pointer */
} nf_span;

/* A word of a format that comes in words (CoNLL): code points of the text. */
typedef struct nf_word {
    uint32_t start, end;
} nf_word;

typedef struct nf_document {
    const char *text; /* UTF-8, NUL-terminated */
    size_t text_size; /* bytes */
    uint32_t length;  /* code points */
    nf_span *spans;   /* sorted by start, then end */
    size_t n_spans;
    nf_word *words; /* NULL if the format has no words of its own */
    size_t n_words;
    const char *file; /* where it was read; for messages */
    long line;
} nf_document;

/* Owns everything its documents point to. Zero-initialise. */
typedef struct nf_corpus {
    nf_arena arena;
    nf_document *documents;
    size_t n_documents;
    size_t capacity;
    const char **labels; /* distinct labels in order of first appearance */
    size_t n_labels;
} nf_corpus;

void nf_corpus_free(nf_corpus *corpus);

#endif
