/* Label sets: entity types in a fixed order, and the names of their B-/I-/O labels (bio.h). */
#ifndef NF_DATA_LABELS_H
#define NF_DATA_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "labels/bio.h"

typedef struct nf_label_set_entry {
    int32_t type;
    UT_hash_handle hh; /* by name */
} nf_label_set_entry;

typedef struct nf_label_set {
    nf_arena arena;
    const char **types; /* [n_types] */
    size_t n_types;
    const char **labels; /* [2 n_types + 1]: "O", "B-x", "I-x", ... */
    size_t n_labels;
    nf_label_set_entry *by_name; /* pre-training has thousands, and asks for every entity */
} nf_label_set;

/* Copies the names; an empty or repeated one is an error. Zero-initialise before. */
nerfit_status nf_label_set_make(nf_label_set *set, const char *const *types, size_t n_types,
                                nerfit_error *err);
void nf_label_set_free(nf_label_set *set);
/* The index of a type, or -1. */
int32_t nf_label_set_type(const nf_label_set *set, const char *type);

/* A label as a phrase that a sentence encoder can read, in the arena: labels such as "date_time"
 * and "album.title" are written for programs, words are divided by blanks. NULL when out of
 * memory. */
char *nf_label_phrase(nf_arena *arena, const char *label);
#endif
