/* Bracket text: `set an alarm for [time : two hours from now]`; the rules are in annotations.h. */
#ifndef NF_DATA_BRACKETS_H
#define NF_DATA_BRACKETS_H

#include "data/annotations.h"

nerfit_status nf_brackets_read(nf_corpus *corpus, const char *text, size_t size, const char *name,
                               const nf_log *log, nerfit_error *err);
nerfit_status nf_brackets_write(nf_str *out, const nf_document *document, nerfit_error *err);

#endif
