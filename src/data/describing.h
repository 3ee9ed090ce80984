/* What a language model is asked to describe a label, and where its answers are kept.
 *
 * The question has what the original package's has (nerfit/utils.py, build_lookup_table): an expert
 * who labels data for entity recognition should describe the label, by up to ten texts that have
 * it, in the language of these texts. Added is what the entities in them are, and that the answer
 * should be the description alone. The texts are drawn with the seed, for each label by itself:
 * another label more, or one that is described already, changes none of the others' questions. */
#ifndef NF_DATA_DESCRIBING_H
#define NF_DATA_DESCRIBING_H

#include "base/str.h"
#include "data/descriptions.h"
#include "data/document.h"

enum { NF_DESCRIBING_SAMPLES = 10 };

extern const char nf_describing_system[];
/* The question about a label, from the corpora [count; some may be NULL]. */
nerfit_status nf_describing_question(nf_str *out, const nf_corpus *const *corpora, size_t count,
                                     const char *label, uint64_t seed, nerfit_error *err);

/* Adds one description; the label must not be there. */
nerfit_status nf_descriptions_add(nf_descriptions *descriptions, const char *label,
                                  const char *text, nerfit_error *err);
/* The index of a label; `count` if it is not there. */
size_t nf_descriptions_find(const nf_descriptions *descriptions, const char *label);
/* Appends them as a mapping in JSON or YAML; out->failed tells of a failure. */
void nf_descriptions_format(nf_str *out, const nf_descriptions *descriptions, bool json);
/* Writes all descriptions; `heading` (may be NULL) is a comment at the head of a new YAML file. A
 * YAML file that is there keeps its text, comments included, and receives what it lacks at its end,
 * if that is enough; else it is written anew, as a file whose name ends in .json is. */
nerfit_status nf_descriptions_write(const nf_descriptions *descriptions, const char *path,
                                    const char *heading, nerfit_error *err);

#endif
