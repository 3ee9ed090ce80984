/* Annotated texts of several label sets: what `nerfit pretrain` learns from, and what the recipe gliner
 * rehearses beside a user's own texts. */
#ifndef NF_RECIPE_LABEL_SETS_H
#define NF_RECIPE_LABEL_SETS_H

#include "data/descriptions.h"
#include "data/document.h"
#include "data/labels.h"
#include "data/manifest.h"
#include "recipe/options.h"

/* One annotated file with its label set. */
typedef struct nf_annotated_set {
    const char *path;
    nf_corpus corpus; /* without texts that count nothing */
    nf_descriptions descriptions;
    nf_label_set labels; /* those that the annotations use */
} nf_annotated_set;

typedef struct nf_annotated_sets {
    nf_manifest manifest;    /* their files */
    nf_annotated_set *items; /* [count] */
    size_t count;
} nf_annotated_sets;

/* Which options say where the sets are. */
typedef struct nf_sets_named {
    const char *option;            /* that of `texts` */
    const nf_names *texts;         /* files, folders of label sets, manifests: data/manifest.h */
    const char *descriptions_name; /* NULL: files alone are an error */
    const nf_names *descriptions;  /* of the files among them, in the same order */
} nf_sets_named;

/* Zero-initialise before; freed also on failure. Texts are read as the options say. */
nerfit_status nf_annotated_sets_read(nf_annotated_sets *out, const nf_train_options *options,
                                     const nf_sets_named *named, const nf_log *log,
                                     nerfit_error *err);
/* Adds all texts and descriptions: fingerprint.h. */
nerfit_status nf_annotated_sets_fingerprint(const nf_annotated_sets *sets, uint64_t *fingerprint,
                                            nerfit_error *err);
void nf_annotated_sets_free(nf_annotated_sets *sets);

/* All that a type may be called: its name as a phrase and its synonyms, its descriptions, and last
 * "name: description", or the name where there is no description. */
typedef struct nf_type_texts {
    const char **texts; /* [n_names + n_descriptions + 1] */
    size_t n_names, n_descriptions;
} nf_type_texts;

static inline size_t nf_type_texts_count(const nf_type_texts *type) {
    return type->n_names + type->n_descriptions + 1;
}

/* In the arena. */
nerfit_status nf_type_texts_of(nf_type_texts *out, nf_arena *arena, const nf_descriptions *d,
                               const char *label, nerfit_error *err);

#endif
