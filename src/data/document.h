/* Documents: texts with their annotated entities, as every format is read into and written from.
 * Offsets are code points, end exclusive.
 *
 * What may be wrong with a span, and what is done:
 *   outside the text, or start >= end      an error
 *   a label that is empty, or holds a      an error
 *     control character
 *   only white space                       an error
 *   white space at an edge of a span or    trimmed, reported
 *     a label
 *   the same span and label twice          kept once, reported
 *   overlapping or nested                  kept, left out (reported) or an error, as
 *                                          nf_overlap_policy says
 *   its own text is not what stands there  an error, that says which units of offsets would fit
 *   an edge inside a sub-word              see train/examples.h: it takes a tokenizer to know
 * A text that is not UTF-8 or holds a NUL character is an error. Every message names file and line,
 * and the entity by its number in the document, from 1. */
#ifndef NF_DATA_DOCUMENT_H
#define NF_DATA_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/utf8.h"
#include "base/log.h"

/* Code points of a text. */
typedef struct nf_range {
    uint32_t start, end;
} nf_range;

/* What a text or an entity may have beside what each has. What training makes of weights, unknown
 * places and labels: train/examples.h. */
typedef struct nf_beside {
    const char *fields; /* members of a JSON object without its braces (`"id": 7, "meta": {}`), as
                           the input spelled them; NULL: none */
    const char *source; /* who says so (an annotator, a model); NULL: unknown */
    double weight;      /* in a loss, 0 or more */
    bool weighted;      /* whether `weight` was given; else it counts as 1 */
    /* of texts */
    const nf_range *unknown; /* [n_unknown] places where nobody knows what there is; of a given
                                document in the unit of its spans */
    size_t n_unknown;
    const char *const *labels; /* [n_labels] the labels that were looked for; NULL: all */
    size_t n_labels;
} nf_beside;

typedef struct nf_span {
    uint32_t start, end;     /* code points, end exclusive */
    const char *label;       /* owned by the corpus; equal labels are the same pointer */
    const nf_beside *beside; /* NULL: nothing */
} nf_span;

/* A word of a format that comes in words (CoNLL): code points of the text. */
typedef nf_range nf_word;

typedef struct nf_document {
    const char *text; /* UTF-8, NUL-terminated, no NUL inside */
    size_t text_size; /* bytes */
    uint32_t length;  /* code points */
    nf_span *spans;   /* sorted by start, then by end; they overlap only if the policy keeps that */
    size_t n_spans;
    nf_word *words; /* NULL if the format has no words of its own */
    size_t n_words;
    const nf_beside *beside; /* NULL: nothing */
    const char *file;        /* where it was read; for messages */
    long line;
} nf_document;

typedef struct nf_label_entry nf_label_entry;

/* Owns everything its documents point to. Zero-initialise. */
typedef struct nf_corpus {
    nf_arena arena;
    nf_document *documents;
    size_t n_documents, capacity;
    const char **labels; /* distinct labels in order of first appearance */
    size_t n_labels, labels_capacity;
    nf_label_entry *label_index; /* from a label to the corpus's own copy */
    const char *file;            /* the own copy of the last file name */
    size_t n_spans;
    size_t n_trimmed, n_duplicates; /* spans that were put right */
} nf_corpus;

/* What a format's offsets count. */
typedef enum nf_offset_unit {
    NF_OFFSETS_CODE_POINTS,
    NF_OFFSETS_UTF16, /* code units, as JavaScript, Java and .NET count */
    NF_OFFSETS_BYTES, /* of UTF-8 */
    NF_OFFSET_UNITS
} nf_offset_unit;

/* A span and a document as a reader found them, unchecked. Nothing is kept by the corpus. */
typedef struct nf_given_span {
    int64_t start, end;
    const char *label;
    size_t label_size;
    const char *text; /* what the input says stands there; NULL: nothing */
    size_t text_size;
    const nf_beside *beside;
    int64_t mark; /* for the reader's own use */
} nf_given_span;

/* Given spans that become more, one by one, with the lines where they stand. Zero-initialise before. */
typedef struct nf_given_list {
    nf_given_span *items; /* [count] */
    long *lines;          /* [count] */
    size_t count, capacity;
} nf_given_list;
nerfit_status nf_given_list_add(nf_given_list *list, const nf_given_span *span, long line,
                                nerfit_error *err);
void nf_given_list_free(nf_given_list *list);

typedef struct nf_given_document {
    const char *text;
    size_t text_size;
    const nf_given_span *spans;
    size_t n_spans;
    const long *span_lines; /* [n_spans], or NULL: the document's line */
    const nf_word *words;
    size_t n_words;
    nf_offset_unit unit; /* of the spans, not of the words */
    const nf_beside *beside;
    const char *file;
    long line;
} nf_given_document;

/* Checks and copies. A document with an error is not added. */
nerfit_status nf_corpus_add(nf_corpus *corpus, const nf_given_document *given, const nf_log *log,
                            nerfit_error *err);
/* The corpus's own copy of a label; NULL when out of memory. */
const char *nf_corpus_label(nf_corpus *corpus, const char *label, size_t size);
/* A copy in the corpus; NULL of NULL, and when out of memory. */
const nf_beside *nf_corpus_beside(nf_corpus *corpus, const nf_beside *beside);
void nf_corpus_free(nf_corpus *corpus);

/* Whether two spans of a document share a character. */
bool nf_document_overlaps(const nf_document *document);

/* Takes white space off both ends of valid UTF-8, as Python's str.strip does. */
void nf_text_trim(const char **text, size_t *size);

#endif
