/* The labels that a user names for a call: a JSON or YAML file of descriptions, or names divided by
 * commas ("person, date_time"), whose descriptions are then the names as phrases. */
#ifndef NF_DATA_LABEL_LIST_H
#define NF_DATA_LABEL_LIST_H

#include "data/descriptions.h"

/* *named (may be NULL): whether they are names, not a file. Zero-initialise `out` before. */
nerfit_status nf_label_list_read(nf_descriptions *out, const char *labels, bool *named,
                                 nerfit_error *err);

#endif
