/* Annotated texts in files: one table of formats (annotations.c), each with its endings, its reader
 * and, where it makes sense, its writer.
 *
 * jsonl     a JSON object a line: {"text": ..., "entities": [[start, end, label], ...]}, the entities
 *           also as objects {"start", "end", "label"} or {"span": [start, end], "type"};
 *           "entities" may be missing or null; instead of it "label" may be an object as CLUENER
 *           has it, {label: {text: [[first, last], ...]}}; other keys are allowed and not read.
 * json      such objects in an array, or one after another, over as many lines as they like.
 * brackets  a text a line, entities as `[label : span]` or `[label: span]`. See brackets.h.
 * conll     a word and its label a line, in columns divided by tabs or spaces; an empty line
 *           between texts. Text is the words joined by single spaces. See conll.h.
 * seq       a folder with seq.in and seq.out (words and labels of a text a line), as SNIPS has it.
 *           Words and labels are divided by spaces; a line's two counts must be equal.
 * text      a text a line, without annotations; an empty line is an empty text.
 *
 * Lines end with "\n" or "\r\n"; a byte order mark at the beginning is passed over. Lines of white
 * space are passed over in jsonl and brackets, and divide texts in conll. */
#ifndef NF_DATA_ANNOTATIONS_H
#define NF_DATA_ANNOTATIONS_H

#include "base/str.h"
#include "data/annotation_report.h"
#include "data/document.h"

typedef enum nf_format {
    NF_FORMAT_AUTO,
    NF_FORMAT_JSONL,
    NF_FORMAT_JSON,
    NF_FORMAT_BRACKETS,
    NF_FORMAT_CONLL,
    NF_FORMAT_SEQ,
    NF_FORMAT_TEXT,
} nf_format;

/* What is done with two entities that share a character. */
typedef enum nf_overlap_policy {
    NF_OVERLAP_ERROR,        /* the document is refused */
    NF_OVERLAP_KEEP_LONGEST, /* longer ones first; of equal ones the one given first */
    NF_OVERLAP_KEEP_FIRST,   /* in the order in which the document gives them */
} nf_overlap_policy;

/* How labels mark an entity's words. All four are read by the same rules; the choice decides which
 * labels are reported as illegal. See tagging.h. */
typedef enum nf_tagging {
    NF_TAGGING_AUTO, /* told from the labels */
    NF_TAGGING_IOB1,
    NF_TAGGING_IOB2,
    NF_TAGGING_BIOES,
    NF_TAGGING_BILOU,
} nf_tagging;

/* Zero is the default everywhere. */
typedef struct nf_annotation_options {
    nf_format format;
    nf_overlap_policy overlap;
    nf_tagging tagging;            /* conll and seq */
    int word_column, label_column; /* conll: from 1, or -1 for the last, ...; 0: by content */
    size_t max_errors;             /* stop at this one (0: the first); documents with errors before
                                      it are left out, and the reading fails at its end */
    nf_annotation_report *report;  /* NULL: none */
    const nf_log *log;             /* warnings: the first ten of each kind, then their number */
} nf_annotation_options;

/* By name ("jsonl", "error", "bioes"; for nf_tagging_find also "iobes" and "bio"); false if there
 * is none. */
bool nf_format_find(const char *name, nf_format *format);
bool nf_overlap_policy_find(const char *name, nf_overlap_policy *policy);
bool nf_tagging_find(const char *name, nf_tagging *tagging);
const char *nf_format_name(nf_format format);
const char *nf_tagging_name(nf_tagging tagging);

/* By a file's ending alone; false if it tells none. */
bool nf_format_of_ending(const char *path, nf_format *format);
/* A folder is seq; then the file's ending decides; then its content:
 *   it begins with "{"                    jsonl if the first line is a whole object, else json
 *   it begins with "[", then "{" or "]"   json
 *   a column of labels                    conll (a column of which nine in ten of the first 200
 *                                         rows look like labels)
 *   anything else                         brackets */
nerfit_status nf_format_detect(const char *path, nf_format *format, nerfit_error *err);

/* Adds the file's documents to the corpus. On an error the corpus holds the good documents that
 * were read; `err` has the first error. `options` may be NULL. */
nerfit_status nf_annotations_read_with(nf_corpus *corpus, const char *path,
                                       const nf_annotation_options *options, nerfit_error *err);
/* The same from memory; `name` stands for the file in messages. Not for seq. */
nerfit_status nf_annotations_parse_with(nf_corpus *corpus, const char *text, size_t size,
                                        const char *name, const nf_annotation_options *options,
                                        nerfit_error *err);

/* The same with the defaults: the first error ends the reading. */
nerfit_status nf_annotations_read(nf_corpus *corpus, const char *path, nf_format format,
                                  const nf_log *log, nerfit_error *err);
nerfit_status nf_annotations_parse(nf_corpus *corpus, const char *text, size_t size,
                                   const char *name, nf_format format, const nf_log *log,
                                   nerfit_error *err);

/* Appends the document in a format (jsonl, json, brackets, conll, text), with its final newline (an
 * object of json has none). What a format cannot hold (a line break in brackets and text) is an
 * error; nothing is appended then. conll holds words, not the white space between them. Whole
 * corpora, checked: writing.h. */
nerfit_status nf_annotations_write(nf_str *out, const nf_document *document, nf_format format,
                                   nerfit_error *err);

#endif
