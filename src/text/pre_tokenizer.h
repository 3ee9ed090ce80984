/* The pre-tokenizers; their rows stand in pre_tokenizer.c. */
#ifndef NF_TEXT_PRE_TOKENIZER_H
#define NF_TEXT_PRE_TOKENIZER_H

#include "text/component.h"

nerfit_status nf_pre_tokenizer_byte_level_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_metaspace_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_split_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_delimiter_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_punctuation_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_digits_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_whitespace_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_scripts_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_fixed_length_load(void **out, const json_t *json, nf_load *load);

/* Of a pre-tokenizer with `byte_level`: makes it write the alphabet after all, for what follows it
 * and for models that do not take the bytes themselves. */
void nf_pre_tokenizer_write_alphabet(nf_pre_tokenizer *pre_tokenizer);
/* The same of ByteLevel itself. */
void nf_pre_tokenizer_byte_level_write_alphabet(nf_pre_tokenizer *byte_level);

/* Splits every piece that is not an added token: pieces of separators vanish, isolated code points
 * stand alone, all others join their neighbours. The classes are looked up by flags
 * (NF_UNICODE_...) that a code point has any of. False when out of memory. */
bool nf_split_by_class(nf_work *work, uint16_t separators, uint16_t isolated);

#endif
