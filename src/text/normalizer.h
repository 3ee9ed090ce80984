/* The normalizers; their rows stand in normalizer.c. */
#ifndef NF_TEXT_NORMALIZER_H
#define NF_TEXT_NORMALIZER_H

#include "text/component.h"

nerfit_status nf_normalizer_bert_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_nfc_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_nfd_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_nfkc_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_nfkd_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_lowercase_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_strip_accents_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_precompiled_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_strip_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_prepend_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_replace_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_nmt_load(void **out, const json_t *json, nf_load *load);
nerfit_status nf_normalizer_byte_level_load(void **out, const json_t *json, nf_load *load);

/* The steps that normalizers are made of; each appends to `to`. False when out of memory. */
bool nf_normalize_decompose(nf_text *from, size_t start, size_t end, bool compatibility,
                            nf_text *to);
bool nf_normalize_compose(nf_text *from, size_t start, size_t end, bool compatibility, nf_text *to);
bool nf_normalize_lowercase(nf_text *from, size_t start, size_t end, nf_text *to);
/* Drops the code points that have any of the flags (NF_UNICODE_...). */
bool nf_normalize_drop(nf_text *from, size_t start, size_t end, uint16_t flags, nf_text *to);

#endif
