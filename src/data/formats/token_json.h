/* Lists of words in JSON, with a label each or with spans of words. */
#ifndef NF_DATA_TOKEN_JSON_H
#define NF_DATA_TOKEN_JSON_H

#include "data/formats/conll.h"

/* The words of an array of strings, as rows without labels, in the arena; NULL in *rows if the
 * error was reported. */
nerfit_status nf_json_words(const nf_json_value *value, const json_t *list, const char *key,
                            nf_arena *arena, nf_conll_row **rows);
/* Adds a text of words and labels (which are respelled if they are not like B-PER), with what the
 * value has beside the keys that were taken. */
nerfit_status nf_json_sentence_add(const nf_json_value *value, nf_conll_row *rows, size_t count,
                                   const char *const *taken, nf_arena *arena);
/* Appends the document's words as an array of strings, and their labels as another. */
nerfit_status nf_json_append_words(nf_str *words, nf_str *labels, const nf_document *document,
                                   nerfit_error *err);

#endif
