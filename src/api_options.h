/* Structs that callers of nerfit.h fill, which grow at their end from one version to the next. */
#ifndef NF_API_OPTIONS_H
#define NF_API_OPTIONS_H

#include "base/error.h"

/* Copies what the caller knows of a struct that begins with its size into `own` [size], and sets the
 * rest to zero. given: NULL for all defaults; that of a program made with an earlier nerfit.h is
 * shorter, that of a later one longer, and an error if it sets what is not known here. name: of the
 * struct, in messages. */
nerfit_status nf_options_take(void *own, size_t size, const void *given, const char *name,
                              nerfit_error *error);

#endif
