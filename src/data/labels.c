#include "data/labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static nerfit_status label_set_add_type(nf_label_set *set, const char *type, nerfit_error *err) {
    nf_label_set_entry *entry = nf_arena_calloc(&set->arena, 1, sizeof *entry);
    const char *copy = nf_arena_strdup(&set->arena, type);
    if (!entry || !copy) return nf_no_memory(err, strlen(type));
    entry->type = (int32_t)set->n_types;
    HASH_ADD_KEYPTR(hh, set->by_name, copy, strlen(copy), entry);
    if (!entry->hh.tbl) return nf_no_memory(err, sizeof *entry);
    set->types[set->n_types++] = copy;
    return NERFIT_OK;
}

nerfit_status nf_label_set_make(nf_label_set *set, const char *const *types, size_t n_types,
                                nerfit_error *err) {
    static const char prefixes[] = {'B', 'I'};
    nf_arena *arena = &set->arena;
    set->types = nf_arena_calloc(arena, n_types + 1, sizeof *set->types);
    set->labels = nf_arena_calloc(arena, 2 * n_types + 1, sizeof *set->labels);
    if (!set->types || !set->labels) return nf_no_memory(err, n_types);
    set->labels[set->n_labels++] = "O";
    for (size_t i = 0; i < n_types; i++) {
        if (!types[i][0]) return nf_fail(err, NERFIT_ARGUMENT, "an entity type has an empty name");
        if (nf_label_set_type(set, types[i]) >= 0)
            return nf_fail(err, NERFIT_ARGUMENT, "entity type \"%s\" is there twice", types[i]);
        NF_TRY(label_set_add_type(set, types[i], err));
        for (size_t k = 0; k < 2; k++) {
            size_t size = strlen(types[i]) + 3;
            char *label = nf_arena_alloc(arena, size);
            if (!label) return nf_no_memory(err, size);
            snprintf(label, size, "%c-%s", prefixes[k], types[i]);
            set->labels[set->n_labels++] = label;
        }
    }
    return NERFIT_OK;
}

void nf_label_set_free(nf_label_set *set) {
    HASH_CLEAR(hh, set->by_name);
    nf_arena_free(&set->arena);
    *set = (nf_label_set){0};
}

int32_t nf_label_set_type(const nf_label_set *set, const char *type) {
    nf_label_set_entry *entry;
    HASH_FIND_STR(set->by_name, type, entry);
    return entry ? entry->type : -1;
}

char *nf_label_phrase(nf_arena *arena, const char *label) {
    char *text = nf_arena_strdup(arena, label);
    bool says = label[strspn(label, "_-./: ")] != '\0';
    for (char *c = text; c && *c && says; c++)
        if (strchr("_-./:", *c)) *c = ' ';
    return text;
}
