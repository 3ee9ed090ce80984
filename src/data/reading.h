/* One reading of one input: what the readers of all formats share. A reader finds documents, hands
 * them to nf_reading_add, and tells what is wrong through nf_reading_error and nf_reading_warning;
 * whether an error ends the reading is decided here. */
#ifndef NF_DATA_READING_H
#define NF_DATA_READING_H

#include "data/annotations.h"

typedef struct nf_reading {
    nf_corpus *corpus;
    const nf_annotation_options *options;
    const char *name;        /* of the input, for messages */
    nerfit_error *err;       /* receives the first error */
    const nf_format *format; /* that the user named; NULL: each value of JSON tells its own */
    bool texts_only;         /* entities and labels are not read */
    size_t n_errors;
    size_t n_logged[NF_N_FINDING_KINDS];
} nf_reading;

nf_reading nf_reading_begin(nf_corpus *corpus, const nf_annotation_options *options,
                            const char *name, nerfit_error *err);
/* Logs what was not logged one by one. Returns `status`, or NERFIT_FORMAT if there were errors. */
nerfit_status nf_reading_end(nf_reading *reading, nerfit_status status);

/* Adds an error to the report. Returns NERFIT_OK if the reading may go on after it with the next
 * document, and NERFIT_FORMAT if it was the last one that is allowed. `finding` needs no file,
 * message or is_error; a line of 0 is unknown. */
nerfit_status nf_reading_error(nf_reading *reading, const nf_finding *finding, const char *format,
                               ...) NERFIT_PRINTF(3, 4);
/* The same for input that is malformed at a place. */
nerfit_status nf_reading_malformed(nf_reading *reading, long line, long column, const char *format,
                                   ...) NERFIT_PRINTF(4, 5);
/* Passes on the error of a function outside src/data (a JSON parser): a malformed input is treated
 * as in nf_reading_malformed, anything else (no memory) ends the reading. */
nerfit_status nf_reading_take(nf_reading *reading, const nerfit_error *error);
/* Adds something that was put right or passed over, and logs it: the first ten of each kind. */
nerfit_status nf_reading_warning(nf_reading *reading, const nf_finding *finding, const char *format,
                                 ...) NERFIT_PRINTF(3, 4);

/* Checks a document by the policies of document.h and adds it; if it has errors, it is not added
 * and the result is as that of nf_reading_error. given->file is not used. */
nerfit_status nf_reading_add(nf_reading *reading, const nf_given_document *given);

#endif
