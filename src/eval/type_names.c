#include "eval/type_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void nf_type_names_free(nf_type_names *types) {
    for (size_t i = 0; i < types->count; i++) free(types->names[i]);
    free(types->names);
    *types = (nf_type_names){0};
}

nerfit_status nf_type_names_add(nf_type_names *types, const char *name, int32_t *type,
                                nerfit_error *err) {
    size_t i = 0;
    while (i < types->count && strcmp(types->names[i], name) != 0) i++;
    *type = (int32_t)i;
    if (i < types->count) return NERFIT_OK;
    if (!nf_array_reserve(&types->names, &types->capacity, i + 1, sizeof *types->names))
        return nf_no_memory(err, 0);
    types->names[i] = strdup(name);
    if (!types->names[i]) return nf_no_memory(err, strlen(name) + 1);
    types->count++;
    return NERFIT_OK;
}

void nf_type_names_sort(const nf_type_names *types, size_t *order) {
    for (size_t i = 0; i < types->count; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(types->names[order[at - 1]], types->names[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}
