/* What nerfit_corpus and nerfit_annotation are inside; see nerfit.h. */
#ifndef NF_API_CORPUS_H
#define NF_API_CORPUS_H

#include "data/document.h"

struct nerfit_corpus {
    nf_corpus corpus;
    nf_log log;
};

/* Reads a file through the caller's parse callback, a line at a time. */
nerfit_status nf_corpus_parse_lines(nf_corpus *corpus, const nerfit_callbacks *callbacks,
                                    const char *path, const nf_log *log, nerfit_error *error);

#endif
