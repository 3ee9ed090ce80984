/* The table of architectures: model_type of config.json to the function that builds the encoder.
 * A new one is a file with a row, and its name in the table of architecture.c. */
#ifndef NF_MODEL_ARCHITECTURE_H
#define NF_MODEL_ARCHITECTURE_H

#include <jansson.h>

#include "nn/encoder.h"

typedef struct nf_features nf_features;

typedef struct nf_architecture {
    const char *model_type;
    const char *prefix;             /* before the encoder's names in models with a head */
    const char *class_name;         /* of the token-classification model, for config.json */
    const char *encoder_class_name; /* of the bare encoder */
    int32_t first_position;         /* 0: positions from 0; else from past the padding id */
    /* Modules that LoRA adapts unless told otherwise, as PEFT's
     * TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING has them for the type; the end is NULL.
     * NULL itself: query and value. */
    const char *const *lora_targets;
    nerfit_status (*build)(nf_encoder *encoder, nf_network *net, const json_t *config,
                           const char *path, nerfit_error *err);
    /* What stands before the classifier of tokens; NULL: nothing. */
    nerfit_status (*build_features)(nf_features *features, const nf_encoder *encoder,
                                    nf_network *net, const json_t *config, const char *path,
                                    nerfit_error *err);
} nf_architecture;

/* The row of config["model_type"], or an error that lists those known. */
nerfit_status nf_architecture_find(const nf_architecture **out, const json_t *config,
                                   const char *path, nerfit_error *err);

/* Reads fields of config.json; the first error stays in `status`. */
typedef struct nf_config_reader {
    const json_t *config;
    const char *path;
    nerfit_error *err;
    nerfit_status status;
} nf_config_reader;

/* A positive whole number; fallback 0 means that it must be there. null counts as absent. */
size_t nf_config_size(nf_config_reader *in, const char *key, size_t fallback);
double nf_config_number(nf_config_reader *in, const char *key, double fallback);
/* A dropout's probability, from 0 to below 1, and a norm's epsilon, from 0 to below 1. */
double nf_config_dropout(nf_config_reader *in, const char *key, double fallback);
double nf_config_epsilon(nf_config_reader *in, const char *key, double fallback);
/* true or false; what is neither is false, as transformers' `is True`-less reading of it. */
bool nf_config_is_true(const json_t *config, const char *key, bool fallback);
nf_activation nf_config_activation(nf_config_reader *in, const char *key, const char *fallback);
/* An error if the field is there with another value: it asks for what is not implemented. */
void nf_config_expect(nf_config_reader *in, const char *key, const char *value);
void nf_config_expect_false(nf_config_reader *in, const char *key);

#endif
