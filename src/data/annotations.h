/* Annotated texts in files and folders, in any of the formats of formats/format.h: which format an
 * input has, and reading it into documents. Whole corpora are written by writing.h.
 *
 * Before a format sees a file, its bytes are made ready: a byte order mark is passed over (inside
 * the file, at a line's beginning, it is reported), lines may end with "\n", "\r\n", or all with
 * "\r"; UTF-16 is refused by name. */
#ifndef NF_DATA_ANNOTATIONS_H
#define NF_DATA_ANNOTATIONS_H

#include "base/str.h"
#include "data/annotation_report.h"
#include "data/document.h"
#include "labels/tagging.h"

/* A row of the table of formats: formats/format.h. */
typedef struct nf_format nf_format;

/* What is done with two entities that share a character. */
typedef enum nf_overlap_policy {
    NF_OVERLAP_ERROR,        /* the document is refused */
    NF_OVERLAP_KEEP_ALL,     /* both are kept */
    NF_OVERLAP_KEEP_LONGEST, /* longer ones first; of equal ones the one given first */
    NF_OVERLAP_KEEP_FIRST,   /* in the order in which the document gives them */
} nf_overlap_policy;

/* A column of a table: by number (from 1, or -1 for the last, ...) or by its header; {0}: found by
 * content. */
typedef struct nf_column {
    int number;
    const char *name;
} nf_column;

/* Zero is the default everywhere. */
typedef struct nf_annotation_options {
    const nf_format *format; /* NULL: told by ending and content */
    nf_overlap_policy overlap;
    nf_tagging tagging; /* of columned formats and seq */
    bool bare_labels;   /* tagging "none": labels are types without a prefix */
    bool offsets_given; /* else the format's unit */
    nf_offset_unit offsets;
    nf_column word_column, label_column; /* of columned formats */
    size_t max_errors;            /* stop at this one (0: the first); documents with errors before
                                     it are left out, and the reading fails at its end */
    nf_annotation_report *report; /* NULL: none */
    const nf_log *log;            /* warnings: the first ten of each kind, then their number */
} nf_annotation_options;

/* By name ("error", ...); false if there is none. */
bool nf_overlap_policy_find(const char *name, nf_overlap_policy *policy);
/* "3", "-1", or a header's name. "0" and "" are errors: false. */
bool nf_column_parse(nf_column *column, const char *text);

/* The options as texts, as users give them; NULL: the default. A wrong one is an error that lists
 * what is right. */
typedef struct nf_annotation_texts {
    const char *format, *overlap, *tagging, *offsets, *word_column, *label_column;
} nf_annotation_texts;
nerfit_status nf_annotation_options_find(nf_annotation_options *options,
                                         const nf_annotation_texts *texts, nerfit_error *err);

/* Adds what a file or folder holds to the corpus. On an error the corpus holds the good documents
 * that were read; `err` has the first error. `options` may be NULL. */
nerfit_status nf_annotations_read_with(nf_corpus *corpus, const char *path,
                                       const nf_annotation_options *options, nerfit_error *err);
/* The same of one file's content; `name` stands for the file in messages. */
nerfit_status nf_annotations_parse_with(nf_corpus *corpus, const char *text, size_t size,
                                        const char *name, const nf_annotation_options *options,
                                        nerfit_error *err);

/* The same with the defaults: the first error ends the reading. */
nerfit_status nf_annotations_read(nf_corpus *corpus, const char *path, const nf_format *format,
                                  const nf_log *log, nerfit_error *err);
nerfit_status nf_annotations_parse(nf_corpus *corpus, const char *text, size_t size,
                                   const char *name, const nf_format *format, const nf_log *log,
                                   nerfit_error *err);

/* As nf_annotations_parse_with, but if `with_spans` is false only texts are read. */
nerfit_status nf_texts_parse(nf_corpus *corpus, const char *text, size_t size, const char *name,
                             const nf_annotation_options *options, bool with_spans,
                             nerfit_error *err);

/* nf_corpus_add by other policies than the default ones. */
nerfit_status nf_corpus_add_with(nf_corpus *corpus, const nf_given_document *given,
                                 const nf_annotation_options *options, nerfit_error *err);

/* Appends one document as a format of one text writes it, with its final newline (an object of json
 * has none). What a format cannot hold (a line break in brackets and text) is an error; nothing is
 * appended then. Formats of words (conll) do not hold the white space between them. */
nerfit_status nf_annotations_write(nf_str *out, const nf_document *document,
                                   const nf_format *format, nerfit_error *err);

#endif
