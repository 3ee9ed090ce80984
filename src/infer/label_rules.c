#include "infer/label_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static bool entry_has(const struct nf_label_rules_entry *entry, const char *const *names,
                      size_t count) {
    for (size_t i = 0; i < count && entry->count == count; i++)
        if (strcmp(entry->names[i], names[i]) != 0) return false;
    return entry->count == count;
}

static nerfit_status label_rules_make(nf_label_rules *rules, const char *const *names, size_t count,
                                      struct nf_label_rules_entry *out, nerfit_error *err) {
    const char **copies = nf_arena_calloc(&rules->arena, count + 1, sizeof *copies);
    if (!copies) return nf_no_memory(err, count * sizeof *copies);
    for (size_t i = 0; i < count; i++)
        if (!(copies[i] = nf_arena_strdup(&rules->arena, names[i]))) return nf_no_memory(err, 0);
    const nf_label_names labels = {copies, copies, count};
    *out = (struct nf_label_rules_entry){copies, count, malloc(sizeof *out->rules)};
    if (!out->rules) return nf_no_memory(err, sizeof *out->rules);
    nerfit_status status =
        nf_rules_make_labels(out->rules, rules->model, NF_DECODE_AUTO, &labels, &rules->arena, err);
    if (status == NERFIT_OK) status = nf_rules_take(out->rules, rules->base, err);
    if (status == NERFIT_OK) status = nf_rules_prepare(out->rules, rules->model, rules->be, err);
    if (status != NERFIT_OK) {
        nf_rules_free(out->rules);
        free(out->rules);
    }
    return status;
}

nerfit_status nf_label_rules_find(nf_label_rules *rules, const char *const *names, size_t count,
                                  const nf_rules **out, nerfit_error *err) {
    *out = rules->base;
    if (count == 0) return NERFIT_OK;
    for (size_t i = rules->n_entries; i-- > 0;)
        if (entry_has(&rules->entries[i], names, count)) {
            *out = rules->entries[i].rules;
            return NERFIT_OK;
        }
    struct nf_label_rules_entry entry;
    if (!nf_array_reserve(&rules->entries, &rules->capacity, rules->n_entries + 1,
                          sizeof *rules->entries))
        return nf_no_memory(err, 0);
    NF_TRY(label_rules_make(rules, names, count, &entry, err));
    rules->entries[rules->n_entries++] = entry;
    *out = entry.rules;
    return NERFIT_OK;
}

void nf_label_rules_free(nf_label_rules *rules) {
    for (size_t i = 0; i < rules->n_entries; i++) {
        nf_rules_free(rules->entries[i].rules);
        free(rules->entries[i].rules);
    }
    free(rules->entries);
    nf_arena_free(&rules->arena);
    rules->entries = NULL;
    rules->n_entries = rules->capacity = 0;
}
