/* Label descriptions: what each entity type means, in plain words.
 *
 * The file is JSON or YAML, told by its ending (.yaml, .yml), else by its first character: "{" or
 * "[" is JSON. It holds a mapping of labels to texts, or a list whose items are
 * {"label": ..., "description": ...} or [label, text]. Order is kept.
 *
 * A value that is not a text is an error that names the label. In YAML a plain scalar that looks
 * like a number, a truth value or null is none; in quotes it is one. So is an empty label or text,
 * a label with white space at an edge, and a label that is there twice. Texts are stripped of white
 * space.
 *
 * Other names and descriptions of the same labels may stand in a file beside it (synonyms.h). */
#ifndef NF_DATA_DESCRIPTIONS_H
#define NF_DATA_DESCRIPTIONS_H

#include "base/arena.h"
#include "base/error.h"
#include "data/synonyms.h"

typedef struct nf_descriptions {
    nf_arena arena;
    const char **labels; /* [count], in the file's order */
    const char **texts;
    size_t count;
    nf_label_texts *further; /* [count], or NULL: there is no file of them */
} nf_descriptions;

/* Zero-initialise before. */
nerfit_status nf_descriptions_read(nf_descriptions *out, const char *path, nerfit_error *err);
/* The same from memory; `name` stands for the file in messages, and its ending decides. */
nerfit_status nf_descriptions_parse(nf_descriptions *out, const char *text, size_t size,
                                    const char *name, nerfit_error *err);
/* The same checks on labels and texts in memory. */
nerfit_status nf_descriptions_make(nf_descriptions *out, const char *const *labels,
                                   const char *const *texts, size_t count, const char *name,
                                   nerfit_error *err);
void nf_descriptions_free(nf_descriptions *descriptions);

#endif
