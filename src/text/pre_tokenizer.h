/* The pre-tokenizers; their rows stand in pre_tokenizer.c. */
#ifndef NF_TEXT_PRE_TOKENIZER_H
#define NF_TEXT_PRE_TOKENIZER_H

#include "text/component.h"

nerfit_status nf_pre_tokenizer_byte_level_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_metaspace_load(void **out, const json_t *json, nf_load *load);

/* Splits every piece that is not an added token: pieces of separators vanish, isolated code points
 * stand alone, all others join their neighbours. The classes are looked up by flags
 * (NF_UNICODE_...) that a code point has any of. False when out of memory. */
bool nf_split_by_class(nf_work *work, uint16_t separators, uint16_t isolated);

#endif
