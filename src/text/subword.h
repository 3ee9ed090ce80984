/* The models; their rows stand in subword.c. */
#ifndef NF_TEXT_SUBWORD_H
#define NF_TEXT_SUBWORD_H

#include "text/component.h"

nerfit_status nf_subword_wordpiece_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_subword_wordlevel_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_subword_bpe_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_subword_unigram_load(void **out, const json_t *json, nf_load *load);

/* Takes load->tables, which have to be of that form. An id that two tokens share belongs, the other
 * way round, to the last. */
nerfit_status nf_vocabulary_load(nf_vocabulary *vocabulary, nf_table_form form, const char *what,
                                 nf_load *load);

#endif
