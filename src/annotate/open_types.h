/* Types that a language model named itself, where none or not all were given: collected from its answers
 * (UniversalNER's and NuNER's way), and brought together where they mean the same.
 *
 * Types whose names are the same but for case, blanks, "_" and a plural are one. Of the others, the most
 * mentioned first, each joins the label whose text "name: description" its own is nearest to, if their
 * embeddings' cosine is the threshold or more, and is else a label of its own. Known labels come before
 * all. A type is compared with labels alone, never with what joined them, so that no chain of small steps
 * brings together what is far apart. */
#ifndef NF_ANNOTATE_OPEN_TYPES_H
#define NF_ANNOTATE_OPEN_TYPES_H

#include <jansson.h>

#include "annotate/opinion.h"
#include "base/hash.h"
#include "base/str.h"

/* Measured (docs/annotate.md): most pairs of types above it mean the same. */
#define NF_OPEN_THRESHOLD 0.75

typedef struct nf_open_type {
    uint32_t *key; /* [key_size / 4] the folded name */
    size_t key_size;
    const char *name, *about; /* as first written; "": without a description */
    size_t mentions;          /* answers with it */
    size_t order;             /* when it was first seen */
    int32_t label;            /* after merging */
    double cosine;            /* with the label's text; 1: by its name, or its own label */
    UT_hash_handle hh;
} nf_open_type;

/* Zero-initialise. */
typedef struct nf_open_types {
    nf_arena arena;
    nf_open_type *map;
    nf_open_type **list; /* [count] as first seen; after merging the most mentioned first */
    size_t count, capacity;
    size_t n_known;       /* of the labels: those that were given */
    nf_job_labels labels; /* after merging */
} nf_open_types;
void nf_open_types_free(nf_open_types *types);

/* An answer's type; about may be NULL. *taken: false if it has no name, or one of more than 80
 * characters. */
nerfit_status nf_open_types_see(nf_open_types *types, const char *name, const char *about,
                                bool *taken, nerfit_error *err);
/* What is embedded of a label or type: appended. */
void nf_open_types_text(nf_str *out, const char *name, const char *about);
/* Makes labels of the types. vectors [known->count + count, size], of unit length, of the known labels'
 * and the types' texts in the list's order; NULL: they are told apart by their names alone. */
nerfit_status nf_open_types_merge(nf_open_types *types, const nf_job_labels *known,
                                  const float *vectors, size_t size, double threshold,
                                  nerfit_error *err);
/* The label of an answer's type, after merging; -1: it was not seen. */
int32_t nf_open_types_label(const nf_open_types *types, const char *name, nf_arena *arena);

/* {"types", "labels", "known", "threshold", "merged": [{"type", "label", "cosine", "mentions"}, ...]}, the
 * most mentioned first, at most 1,000; NULL when out of memory. */
json_t *nf_open_types_json(const nf_open_types *types, double threshold);
/* Files that training reads: descriptions of all labels (data/descriptions.h), and what else they are called
 * and described (data/synonyms.h). */
void nf_open_types_descriptions(const nf_open_types *types, nf_str *out);
void nf_open_types_synonyms(const nf_open_types *types, nf_str *out);

#endif
