/* The models; their rows stand in subword.c. */
#ifndef NF_TEXT_SUBWORD_H
#define NF_TEXT_SUBWORD_H

#include "text/component.h"

nerfit_status nf_subword_wordpiece_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_subword_wordlevel_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_subword_bpe_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_subword_unigram_load(void **out, const json_t *json, nf_load *load);

/* Reads {"token": id, …}. */
nerfit_status nf_vocabulary_load(nf_vocabulary *vocabulary, const json_t *json, const char *what,
                                 nf_load *load);

#endif
