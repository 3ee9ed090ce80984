/* Whole corpora into a format, and proven: every document is read back from what was written, and
 * must be the same text with the same entities. What a format cannot hold is an error that names
 * file and line of the document, but for two losses that a format makes by its nature, which are
 * counted and told: conll and seq hold words, not the white space between them, and text holds no
 * entities. */
#ifndef NF_DATA_WRITING_H
#define NF_DATA_WRITING_H

#include "data/annotations.h"

/* How many documents changed their white space, and how many entities were left out. */
typedef struct nf_writing_losses {
    size_t n_spacing, n_entities;
} nf_writing_losses;

/* Appends all documents. `labels` receives the second file of seq (it may be NULL for the other
 * formats). On an error the texts are incomplete. */
nerfit_status nf_corpus_format(nf_str *out, nf_str *labels, const nf_corpus *corpus,
                               nf_format format, nf_writing_losses *losses, nerfit_error *err);
/* Writes a file, or for seq a folder with seq.in and seq.out; atomically. `auto` tells the format
 * by the file's ending. Losses go to the log as warnings. */
nerfit_status nf_corpus_write(const nf_corpus *corpus, const char *path, nf_format format,
                              const nf_log *log, nerfit_error *err);
/* The warnings of nf_corpus_write. */
void nf_writing_losses_log(const nf_writing_losses *losses, nf_format format, const nf_log *log);

#endif
