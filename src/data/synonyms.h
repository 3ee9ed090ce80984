/* Further texts for labels: other names and other descriptions of the same type. They stand beside
 * the descriptions: NAME.synonyms.yaml beside NAME.yaml (.yml, .json),
 *
 *     label:
 *       synonyms: [another name, one more]
 *       descriptions:
 *       - In other words, what it is.
 *
 * either of the two may be missing. A label that the descriptions do not have, another key, and
 * what is no text or empty are errors with their place. */
#ifndef NF_DATA_SYNONYMS_H
#define NF_DATA_SYNONYMS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

/* What else a label is called, and how else it is described. */
typedef struct nf_label_texts {
    const char **names, **descriptions;
    size_t n_names, n_descriptions;
} nf_label_texts;

/* Whether a path's name is that of such a file. */
bool nf_synonyms_is(const char *path);
/* Where that of the descriptions at `path` stands, in the arena; NULL: out of memory. */
const char *nf_synonyms_path(nf_arena *arena, const char *path);
/* Reads it for these labels [count]; texts [count], zeroed, and what they point to in the arena. */
nerfit_status nf_synonyms_read(nf_label_texts *texts, nf_arena *arena, const char *const *labels,
                               size_t count, const char *path, nerfit_error *err);

#endif
