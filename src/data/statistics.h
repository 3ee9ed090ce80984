/* What annotated texts hold, and what their splits share: texts, words, entities by type, lengths,
 * repeated texts, and leakage (texts and entities of one split that another holds, too). */
#ifndef NF_DATA_STATISTICS_H
#define NF_DATA_STATISTICS_H

#include <jansson.h>

#include "base/str.h"
#include "data/document.h"

/* An object:
 *   splits    for each name: texts, texts_without_entities, words, characters (code points),
 *             words_per_text and words_per_entity {least, median, mean, most}, entities, repeated
 *             (texts that are there before in the split), conflicts (of these, with other
 *             entities), types: for each label {entities, texts, distinct, words} (distinct:
 *             different entity texts; words: the mean)
 *   overlaps  for each ordered pair of splits {of, in, texts, entities, unseen_types}: texts of
 *             `of` that are in `in`, share of its entities whose text and label are there, and its
 *             types that are not there
 * Words are those of words.h. */
nerfit_status nf_statistics_make(json_t **out, const nf_corpus *const *corpora,
                                 const char *const *names, size_t count, nerfit_error *err);
/* The same as tables. */
void nf_statistics_text(const json_t *statistics, nf_str *out);

#endif
