/* adapter_config.json as PEFT 0.21 writes it: what of it decides numbers is read here, or refused by
 * name. A table says which key is which. */
#ifndef NF_MODEL_ADAPTER_CONFIG_H
#define NF_MODEL_ADAPTER_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"

/* A rank or alpha of its own for modules whose name ends in what the pattern matches. */
typedef struct nf_adapter_pattern {
    char *pattern; /* regular expression */
    double value;
} nf_adapter_pattern;

/* Which biases are trained and saved with the adapter. */
typedef enum nf_adapter_bias {
    NF_ADAPTER_BIAS_NONE,
    NF_ADAPTER_BIAS_ALL,
    NF_ADAPTER_BIAS_LORA
} nf_adapter_bias;

/* How the matrices began, as far as it matters afterwards: PiSSA and OLoRA take what they begin with
 * out of the base weights, when an adapter is made and whenever it is loaded. */
typedef enum nf_adapter_init {
    NF_ADAPTER_INIT_PLAIN,
    NF_ADAPTER_INIT_PISSA,
    NF_ADAPTER_INIT_OLORA
} nf_adapter_init;

typedef struct nf_adapter_config {
    size_t r;
    double lora_alpha;
    double lora_dropout;
    bool use_dora;
    bool use_rslora;
    bool inference_mode;
    /* Names of modules: a layer is adapted if its name is one of these or ends in "." + one
     * (PEFT's rule). "all-linear" alone: every linear layer but the head. NULL: the architecture's
     * default. */
    char **target_modules;
    size_t n_target_modules;
    /* Trained in full and saved with the adapter ("classifier" always is, with a head). */
    char **modules_to_save;
    size_t n_modules_to_save;
    bool target_regex; /* the one target is a regular expression that the whole name must match */
    char **exclude_modules; /* as target_modules; they win */
    size_t n_exclude_modules;
    bool exclude_regex;
    nf_adapter_pattern *ranks, *alphas;
    size_t n_ranks, n_alphas;
    int *layers; /* only in layers of these numbers; with target_modules as names */
    size_t n_layers;
    char **layers_pattern; /* the module that a layer's number stands behind; none: any */
    size_t n_layers_pattern;
    nf_adapter_bias bias;
    nf_adapter_init init;
} nf_adapter_config;

/* Fills `config`, its names in `arena`. What would change numbers and is not implemented is
 * NERFIT_UNSUPPORTED, naming the key; a key that nobody knows, with a value that says something, is
 * told to the log. */
nerfit_status nf_adapter_config_read(nf_adapter_config *config, const json_t *json,
                                     const char *path, nf_arena *arena, const nf_log *log,
                                     nerfit_error *err);
/* All keys but base_model_name_or_path, task_type and modules_to_save; NULL when out of memory. */
json_t *nf_adapter_config_write(const nf_adapter_config *config);

/* A list of texts. */
json_t *nf_names_to_json(char *const *names, size_t count);

#endif
