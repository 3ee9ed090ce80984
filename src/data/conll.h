/* CoNLL columns: words and labels, line by line.
 *
 * The label column is the last one, or the first if only that one looks like labels (every value is
 * "O" or a prefix and a dash); the word column is the first one that is not the label's. Lines that
 * begin with "-DOCSTART-" and lines "# ..." without a tab are passed over.
 *
 * The scheme need not be given: IOB1, IOB2, BIOES and BILOU are read by one set of rules, seqeval's
 * default ones with L as E and U as S: B- and S- begin an entity, I- and E- do after O, after an
 * entity's end (E-, S-) or after another type. So I-x I-x is one entity in every scheme, and an
 * illegal transition begins a new entity instead of losing one. */
#ifndef NF_DATA_CONLL_H
#define NF_DATA_CONLL_H

#include "data/annotations.h"

/* One sentence's words and labels; both [length], pointing into the caller's text. */
typedef struct nf_conll_row {
    const char *word, *label;
    size_t word_size, label_size;
    long line;
} nf_conll_row;

typedef struct nf_conll {
    nf_conll_row *rows; /* all rows of the file */
    size_t n_rows;
    size_t *ends; /* [n_sentences] row past the sentence's last */
    size_t n_sentences;
} nf_conll;

nerfit_status nf_conll_parse(nf_conll *out, const char *text, size_t size, const char *name,
                             nerfit_error *err);
void nf_conll_free(nf_conll *conll);

nerfit_status nf_conll_read(nf_corpus *corpus, const char *text, size_t size, const char *name,
                            const nf_log *log, nerfit_error *err);
/* Adds one sentence as a document. */
nerfit_status nf_conll_add(nf_corpus *corpus, const nf_conll_row *rows, size_t count,
                           const char *name, const nf_log *log, nerfit_error *err);

#endif
