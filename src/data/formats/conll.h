/* CoNLL columns: words and labels, line by line, as columns.h finds them; and the rows of words and
 * labels that are written. */
#ifndef NF_DATA_CONLL_H
#define NF_DATA_CONLL_H

#include "data/formats/columns.h"
#include "data/formats/format.h"

/* Words with their labels, as nf_is_tag has them. */
typedef struct nf_sentence {
    const nf_conll_row *rows; /* [count] */
    size_t count;             /* at least 1 */
    nf_tagging tagging;
    const char *raw; /* [raw_size] the text in which the words stand; NULL: joined by blanks */
    size_t raw_size;
    const nf_beside *beside; /* NULL: nothing */
} nf_sentence;
/* Adds a document, and reports its illegal transitions. */
nerfit_status nf_sentence_add(nf_reading *reading, const nf_sentence *sentence);

/* All rows of a file, sentence by sentence. They point into the file's text. */
typedef struct nf_conll {
    nf_arena arena; /* of labels that were respelled */
    nf_conll_row *rows;
    size_t n_rows, rows_capacity;
    size_t *ends; /* [n_sentences] row past the sentence's last */
    size_t n_sentences, ends_capacity;
    bool refused; /* a row of the sentence that is read had an error: it will be left out */
} nf_conll;

nerfit_status nf_conll_add_row(nf_conll *conll, const nf_conll_row *row, nerfit_error *err);
/* Does nothing if there is no row since the last end; takes the rows back if one was refused. */
nerfit_status nf_conll_end_sentence(nf_conll *conll, nerfit_error *err);
/* Tells the scheme if it is not given, and adds every sentence as a document. */
nerfit_status nf_conll_add_to(const nf_conll *conll, nf_reading *reading);
void nf_conll_free(nf_conll *conll);

/* Reads rows to the end of the lines. A sentence with an error is left out. If the reading takes
 * texts only, every label is O. */
nerfit_status nf_conll_rows_read(nf_reading *reading, const nf_columns *columns, nf_lines *lines,
                                 nf_conll *out);
/* A file's rows; freed on failure. The options are for columns and tagging, and may be NULL. */
nerfit_status nf_conll_parse(nf_conll *out, const char *text, size_t size, const char *name,
                             const nf_annotation_options *options, nerfit_error *err);
/* Adds the texts of a table; `csv` is for how it is divided. */
nerfit_status nf_table_read(nf_reading *reading, const char *text, size_t size, bool csv);

/* The document's words with their labels ("B-x", "I-x", "O"), one by one, as conll and seq are
 * written: words are the document's own, or those of words.h; one is divided where a span begins or
 * ends inside it, so that no span is lost, and after the dash of "-DOCSTART-", which would end a
 * text. `label` is NULL outside of entities; `begins`: B-. */
typedef void (*nf_row_writer)(void *user, const char *word, size_t size, const char *label,
                              bool begins);
nerfit_status nf_conll_rows_write(const nf_document *document, nf_row_writer write, void *user,
                                  nerfit_error *err);

#endif
