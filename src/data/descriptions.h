/* Label descriptions: what each entity type means, in plain words. */
#ifndef NF_DATA_DESCRIPTIONS_H
#define NF_DATA_DESCRIPTIONS_H

#include "base/arena.h"
#include "base/error.h"

typedef struct nf_descriptions {
    nf_arena arena;
    const char **labels; /* [count], in the file's order */
    const char **texts;
    size_t count;
} nf_descriptions;

/* JSON or YAML: a mapping of labels to texts. (JSON is read as the YAML that it is.) A value that
 * is not a text, an empty one and a repeated label are errors. Zero-initialise before. */
nerfit_status nf_descriptions_read(nf_descriptions *out, const char *path, nerfit_error *err);
void nf_descriptions_free(nf_descriptions *descriptions);

#endif
