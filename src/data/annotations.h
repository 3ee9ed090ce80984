/* Annotated texts in files: one table of formats, each with a reader and, where it makes sense, a
 * writer.
 *
 * jsonl     a JSON object a line: {"text": ..., "entities": [[start, end, label], ...]}, the entities
 *           also as objects {"start", "end", "label"}; "entities" may be missing; other keys are
 *           allowed and not read.
 * json      an array of such objects.
 * brackets  a text a line, entities as `[label : span]` or `[label: span]`. An annotation is
 *           "[", a label without brackets, colon or line break, ":", white space, a span without
 *           "]", "]"; label and span are trimmed. Other brackets are text. "\[" is a bracket that is
 *           text, and "\\" before a bracket a backslash. Empty lines are passed over.
 * conll     a word and its label a line, in columns divided by tabs or spaces; an empty line between
 *           texts. Text is the words joined by single spaces. See conll.h.
 * seq       a folder with seq.in and seq.out (words and labels of a text a line), as SNIPS has it. */
#ifndef NF_DATA_ANNOTATIONS_H
#define NF_DATA_ANNOTATIONS_H

#include "base/str.h"
#include "data/document.h"

typedef enum nf_format {
    NF_FORMAT_AUTO,
    NF_FORMAT_JSONL,
    NF_FORMAT_JSON,
    NF_FORMAT_BRACKETS,
    NF_FORMAT_CONLL,
    NF_FORMAT_SEQ,
} nf_format;

/* By name ("jsonl"); false if there is none. */
bool nf_format_find(const char *name, nf_format *format);
/* By the file's ending, then by its content. */
nerfit_status nf_format_detect(const char *path, nf_format *format, nerfit_error *err);

/* Adds the file's documents to the corpus. */
nerfit_status nf_annotations_read(nf_corpus *corpus, const char *path, nf_format format,
                                  const nf_log *log, nerfit_error *err);
/* The same from memory; `name` stands for the file in messages. Not for seq. */
nerfit_status nf_annotations_parse(nf_corpus *corpus, const char *text, size_t size,
                                   const char *name, nf_format format, const nf_log *log,
                                   nerfit_error *err);

/* Appends the document in a format (jsonl, brackets, conll), with its final newline. */
nerfit_status nf_annotations_write(nf_str *out, const nf_document *document, nf_format format,
                                   nerfit_error *err);

#endif
