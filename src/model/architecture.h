/* The table of architectures: model_type of config.json to the function that builds the encoder.
 * A new one is a file with a row, and its name in the table of architecture.c. */
#ifndef NF_MODEL_ARCHITECTURE_H
#define NF_MODEL_ARCHITECTURE_H

#include "base/config_reader.h"
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

/* One of transformers' names of an activation. */
nf_activation nf_config_activation(nf_config_reader *in, const char *key, const char *fallback);

#endif
