/* What was found wrong while annotated texts were read, and what was done about it: nothing is put
 * right, left out or refused without an entry here. Later stages (training, which knows the
 * sub-words) add their own entries to the same report. */
#ifndef NF_DATA_ANNOTATION_REPORT_H
#define NF_DATA_ANNOTATION_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* The kinds, with the name that `nerfit data check` counts them under. The policy of each stands in
 * document.h. */
#define NF_FINDING_MAP(X)                                                                          \
    X(MALFORMED, "malformed input")                                                                \
    X(BAD_LABEL, "label empty or with control characters")                                         \
    X(OUTSIDE, "span outside the text")                                                            \
    X(EMPTY, "span that ends where it starts, or before")                                          \
    X(BLANK, "span of white space alone")                                                          \
    X(OVERLAP, "spans that overlap")                                                               \
    X(CONTRADICTION, "entity whose own text is not what stands at its place")                      \
    X(TRIMMED, "white space at an edge, trimmed")                                                  \
    X(DUPLICATE, "span and label given twice, kept once")                                          \
    X(UNCLOSED, "annotation without its closing bracket, kept as text")                            \
    X(TRANSITION, "label that its scheme does not allow after the one before")                     \
    X(INSIDE_SUBWORD, "span edge inside a sub-word")                                               \
    X(INSIDE_WORD, "span edge inside a word")                                                      \
    X(BYTES, "suspicious bytes")                                                                   \
    X(READING, "one of two possible readings taken")                                               \
    X(PASSED_OVER, "text that its annotator did not accept, left out")                             \
    X(LEFT_OUT, "content that the format's reader cannot keep, left out")                          \
    X(INCONSISTENT, "same words labelled differently elsewhere")                                   \
    X(UNLABELLED, "same words left unlabelled elsewhere")                                          \
    X(NEARLY_REPEATED, "text nearly the same as one of another file")                              \
    X(REPEATED, "text given again")                                                                \
    X(CONFLICT, "text given again with other entities")                                            \
    X(NO_ENTITY, "file without an entity")                                                         \
    X(UNDESCRIBED, "label without a description")                                                  \
    X(UNUSED, "description of a label that no text has")

typedef enum nf_finding_kind {
#define NF_FINDING_ENUM(name, text) NF_FINDING_##name,
    NF_FINDING_MAP(NF_FINDING_ENUM)
#undef NF_FINDING_ENUM
        NF_N_FINDING_KINDS
} nf_finding_kind;

/* The description of a kind, for summaries; a constant string. */
const char *nf_finding_kind_text(nf_finding_kind kind);

typedef struct nf_finding {
    nf_finding_kind kind;
    bool is_error;     /* the document was refused; else it was read as `message` says */
    const char *file;  /* "" if unknown */
    long line, column; /* from 1; 0 if unknown */
    size_t entity;     /* its number in the document as given, from 1; 0: not about an entity */
    const char *label; /* as given; "" if none */
    int64_t given_start, given_end; /* code points */
    int64_t kept_start, kept_end;   /* after the repair; equal if nothing was kept */
    const char *message; /* the whole text, place included: what was given and what was done */
} nf_finding;

enum { NF_REPORT_MOST_ITEMS = 1000 };

/* Zero-initialise. Counts are exact; the items are the first `most_items` ones (0:
 * NF_REPORT_MOST_ITEMS). */
typedef struct nf_annotation_report {
    nf_arena arena;
    nf_finding *items;
    size_t count, capacity, most_items;
    size_t kinds[NF_N_FINDING_KINDS]; /* how often each was found */
    size_t n_errors;
} nf_annotation_report;

/* Counts the finding, and copies it with its texts. */
nerfit_status nf_annotation_report_add(nf_annotation_report *report, const nf_finding *finding,
                                       nerfit_error *err);
/* The same with a text that is made here: the finding's place and `format`. */
nerfit_status nf_annotation_report_tell(nf_annotation_report *report, nf_finding finding,
                                        nerfit_error *err, const char *format, ...)
    NERFIT_PRINTF(4, 5);
void nf_annotation_report_free(nf_annotation_report *report);

#endif
