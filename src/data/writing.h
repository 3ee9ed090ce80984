/* Whole corpora into a format, and proven: every document is read back from what was written, and
 * must be the same text with the same entities. What a format cannot hold is an error that names
 * file and line of the document, but for the losses that a format makes by its nature (nf_format's
 * `holds`), which are counted and told: formats of words do not hold the white space between them,
 * text holds no entities, and some hold nothing beside text and entities. */
#ifndef NF_DATA_WRITING_H
#define NF_DATA_WRITING_H

#include "data/annotations.h"
#include "data/formats/format.h"

/* How many documents changed their white space, how many entities were left out, and how many
 * documents had something beside that was left out. */
typedef struct nf_writing_losses {
    size_t n_spacing, n_entities, n_fields;
} nf_writing_losses;

/* Appends all documents to the parts of a format: "" of one that is a file. On an error they are
 * incomplete. */
nerfit_status nf_corpus_format(nf_parts *out, const nf_corpus *corpus, const nf_format *format,
                               nf_writing_losses *losses, nerfit_error *err);
/* Writes a file, or a folder with its files; each atomically. NULL tells the format by the file's
 * ending. Losses go to the log as warnings. */
nerfit_status nf_corpus_write(const nf_corpus *corpus, const char *path, const nf_format *format,
                              const nf_log *log, nerfit_error *err);
/* The warnings of nf_corpus_write. */
void nf_writing_losses_log(const nf_writing_losses *losses, const nf_format *format,
                           const nf_log *log);

#endif
