/* Fields of a JSON object of settings (config.json, adapter_config.json, gliner_config.json). The first
 * error stays in `status` and says the file, the key, what stands there and what was expected; what is
 * read after it are values that do no harm. null counts as absent. */
#ifndef NF_BASE_CONFIG_READER_H
#define NF_BASE_CONFIG_READER_H

#include <jansson.h>

#include "base/error.h"

typedef struct nf_config_reader {
    const json_t *config;
    const char *path;
    nerfit_error *err;
    nerfit_status status;
} nf_config_reader;

/* NULL: absent. */
const json_t *nf_config_get(const nf_config_reader *in, const char *key);
/* The error of a value that makes no sense: `"key" is VALUE, expected EXPECTED`. */
void nf_config_wrong(nf_config_reader *in, const char *key, const char *expected);
/* That of one that makes sense and is not implemented. */
void nf_config_refuse(nf_config_reader *in, const char *key, const char *why);

/* From `least` to `most`. */
int64_t nf_config_whole(nf_config_reader *in, const char *key, int64_t fallback, int64_t least,
                        int64_t most);
/* A size, from 1; fallback 0 means that it must be there. */
size_t nf_config_size(nf_config_reader *in, const char *key, size_t fallback);
double nf_config_number(nf_config_reader *in, const char *key, double fallback);
/* A dropout's probability, from 0 to below 1, and a norm's epsilon, from 0 to below 1. */
double nf_config_dropout(nf_config_reader *in, const char *key, double fallback);
double nf_config_epsilon(nf_config_reader *in, const char *key, double fallback);
/* true or false and nothing else. */
bool nf_config_bool(nf_config_reader *in, const char *key, bool fallback);
/* true or false; what is neither is false, as transformers' `is True`-less reading of it. */
bool nf_config_is_true(const json_t *config, const char *key, bool fallback);
const char *nf_config_text(nf_config_reader *in, const char *key, const char *fallback);
/* NULL: absent. */
const json_t *nf_config_object(nf_config_reader *in, const char *key);
/* An error if the field is there with another value: it asks for what is not implemented. */
void nf_config_expect(nf_config_reader *in, const char *key, const char *value);
void nf_config_expect_false(nf_config_reader *in, const char *key);

#endif
