/* CoNLL columns: words and labels, line by line.
 *
 * Columns are divided by tabs if half of the lines have one, else by runs of spaces and tabs; ASCII
 * white space at a column's ends is no part of it. If the columns are not given, they are found by
 * content: label the last column, the first, then the others from the end: the first in this order
 * of which nine in ten rows hold a label (tagging.h), else the one of which the most do, at least
 * every second. The other rows are errors. word    the first column that is not the label's; the
 * next one if it counts 1, 2, 3, ... in every sentence.
 *
 * Lines of white space end a sentence. Lines that begin with "-DOCSTART-" end one and are passed
 * over, and so are lines "# ..." that have no label in the label's column. (In a file divided by
 * spaces "# O" is the word "#".) */
#ifndef NF_DATA_CONLL_H
#define NF_DATA_CONLL_H

#include "data/lines.h"
#include "data/reading.h"
#include "data/tagging.h"

enum { NF_NO_COLUMN = 0 };

/* Where a file's words and labels stand. */
typedef struct nf_conll_layout {
    bool tabs;
    int word, label; /* from 1, or from the end: -1 is the last; label may be NF_NO_COLUMN */
} nf_conll_layout;

typedef enum nf_conll_line {
    NF_CONLL_ROW,
    NF_CONLL_BREAK, /* between sentences */
    NF_CONLL_PASSED_OVER,
} nf_conll_line;

/* Whether a line begins with "-DOCSTART-". */
bool nf_conll_is_docstart(const char *line, size_t size);
/* Finds what the options leave open. *score receives the share of the first `most_rows` rows (0:
 * all) that have a label in the label's column, 0 if there is no row. */
nf_conll_layout nf_conll_layout_find(const char *text, size_t size,
                                     const nf_annotation_options *options, size_t most_rows,
                                     double *score);
/* What a line is; *row is filled for a row, whose word or label may be empty or missing (NULL). */
nf_conll_line nf_conll_line_read(const nf_conll_layout *layout, const char *line, size_t size,
                                 nf_conll_row *row);
/* Adds one sentence (count > 0) as a document, and reports its illegal transitions. */
nerfit_status nf_conll_sentence_add(nf_reading *reading, const nf_conll_row *rows, size_t count,
                                    nf_tagging tagging);

/* All rows of a file, sentence by sentence. They point into the file's text. */
typedef struct nf_conll {
    nf_conll_row *rows;
    size_t n_rows, rows_capacity;
    size_t *ends; /* [n_sentences] row past the sentence's last */
    size_t n_sentences, ends_capacity;
} nf_conll;

nerfit_status nf_conll_add_row(nf_conll *conll, const nf_conll_row *row, nerfit_error *err);
/* Does nothing if there is no row since the last end. */
nerfit_status nf_conll_end_sentence(nf_conll *conll, nerfit_error *err);
/* Takes back the rows since the last end. */
void nf_conll_drop_sentence(nf_conll *conll);
/* Tells the scheme if it is not given, and adds every sentence as a document. */
nerfit_status nf_conll_add_to(const nf_conll *conll, nf_reading *reading);
void nf_conll_free(nf_conll *conll);

/* Reads rows to the end of the lines. A sentence with an error is left out. If the reading takes
 * texts only, every label is O. */
nerfit_status nf_conll_rows_read(nf_reading *reading, const nf_conll_layout *layout,
                                 nf_lines *lines, nf_conll *out);
/* A file's rows with the default options; freed on failure. */
nerfit_status nf_conll_parse(nf_conll *out, const char *text, size_t size, const char *name,
                             nerfit_error *err);
nerfit_status nf_conll_read(nf_reading *reading, const char *text, size_t size);
nerfit_status nf_conll_write(nf_str *out, const nf_document *document, nerfit_error *err);

/* A folder with seq.in and seq.out. */
nerfit_status nf_seq_read(nf_reading *reading, const char *folder);
/* The two files from memory; reading->name is the first one's name. */
nerfit_status nf_seq_parse(nf_reading *reading, const char *words, size_t words_size,
                           const char *labels, size_t labels_size, const char *labels_name);
/* Appends a line to each. A label with white space, which would be several there, is an error. */
nerfit_status nf_seq_write(nf_str *words, nf_str *labels, const nf_document *document,
                           nerfit_error *err);

/* The document's words with their labels ("B-x", "I-x", "O"), one by one, as conll and seq are
 * written: words are the document's own, or those of words.h; one is divided where a span begins or
 * ends inside it, so that no span is lost, and after the dash of "-DOCSTART-", which would end a
 * text. `label` is NULL outside of entities; `begins`: B-. */
typedef void (*nf_row_writer)(void *user, const char *word, size_t size, const char *label,
                              bool begins);
nerfit_status nf_conll_rows_write(const nf_document *document, nf_row_writer write, void *user,
                                  nerfit_error *err);

#endif
