/* The types that annotated and found entities have: numbers in order of first appearance. Who found an
 * entity may know other types than who annotated the text, so that both are named here. */
#ifndef NF_EVAL_TYPE_NAMES_H
#define NF_EVAL_TYPE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Zero-initialise. */
typedef struct nf_type_names {
    char **names; /* [count], where they stay */
    size_t count, capacity;
} nf_type_names;

/* The number of a name, a new one if it has none. */
nerfit_status nf_type_names_add(nf_type_names *types, const char *name, int32_t *type,
                                nerfit_error *err);
/* Numbers sorted by name; order [count]. */
void nf_type_names_sort(const nf_type_names *types, size_t *order);
void nf_type_names_free(nf_type_names *types);

#endif
